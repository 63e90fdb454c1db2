"""Pictures and sound to an RTMP(S) server, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable

from stream.limits import DELIVERIES, SECOND
from stream.picture import EncodedPicture
from stream.rtmp import tag_writer
from stream.rtmp.backoff import Backoff
from stream.rtmp.errors import Refused, RtmpError
from stream.rtmp.limits import MAX_BACKLOG, MIN_BACKLOG, STEADY, PushLimits
from stream.rtmp.multiplexer import Multiplexer
from stream.rtmp.push_connection import PushConnection
from stream.rtmp.tag_writer import AccessUnit
from stream.rtmp.target import Target
from stream.sound.aac_encoder import AacTranscoder
from stream.sound.packet import SoundPacket

logger = logging.getLogger(__name__)


class RtmpPushEgress:
    """Pushes one stream to one URL, from ``start`` to ``close``: where the server is lost or says no, it is tried again.

    Its pictures are H.264 with parameter sets before each keyframe, of which there is one every 2 s, and keep their size. Each
    connection begins at time 0 with a keyframe. Sound goes out as AAC, which is made in a thread, and only while connected.
    """

    codec = "H264"

    def __init__(
        self,
        url: str,
        *,
        on_state: Callable[[str, str], None] = lambda _, __: None,
        clock: Callable[[], int] = time.monotonic_ns,
        ssl_context: ssl.SSLContext | None = None,
        limits: PushLimits | None = None,
        random: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``on_state`` is told each new state and its reason; neither it nor anything else here has the URL's key in it.

        connecting
        live
        waiting   the server cannot be reached, or was lost; it is tried again, at longer and longer intervals
        refused   the server said no; it is asked again at the longest interval
        ended     by ``close``

        ``ssl_context`` is for rtmps; None trusts the system's authorities. Raises ValueError for a URL that is none.
        """
        self.target = Target.parse(url)
        self.state = ""
        self.reason = ""
        self.dropped = 0
        """Pictures that were given to it and did not go out."""
        self._on_state = on_state
        self._clock = clock
        self._context = ssl_context
        self._limits = limits or PushLimits()
        self._sleep = sleep
        self._backoff = Backoff(random)
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._connection: PushConnection | None = None
        """The one that publishes. The next two are made with it: what they still hold is of no use to the one after it."""
        self._programme = Multiplexer(lambda kind, timestamp, body: None)
        self._transcoder: AacTranscoder | None = None
        self._skipping = True
        """Whether pictures up to the next keyframe are of no use."""
        self._octets = 0
        """Since the keyframe of this pts:"""
        self._keyframe_pts: int | None = None
        self._given = 0
        """Pictures given to the loop; counted by the encoder's thread."""
        self._taken = 0
        """Pictures the loop has taken; counted by the loop."""

    def start(self) -> None:
        """Begins to connect. Called once, on the loop."""
        self._task = self._loop.create_task(self._run(), name=f"rtmp-push-{self.target}")

    @property
    def ready(self) -> bool:
        connection = self._connection
        return connection is not None and not connection.full and self._given - self._taken < DELIVERIES

    def send(self, picture: EncodedPicture) -> None:
        unit = tag_writer.access_unit(picture.data) if self._connection is not None else None
        self._given += 1
        try:
            self._loop.call_soon_threadsafe(self._deliver, picture, unit)
        except RuntimeError:
            # The loop has ended, and the connection with it.
            self._taken += 1

    def sound(self, packet: SoundPacket) -> None:
        if self._connection is not None and self._transcoder is not None and not self._connection.full:
            self._transcoder.put(packet)

    async def close(self, reason: str) -> None:
        """The server is told, and gets ``limits.linger`` to take what waits for it."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._leave()
        self._say("ended", reason)

    def _deliver(self, picture: EncodedPicture, unit: AccessUnit | None) -> None:
        self._taken += 1
        connection = self._connection
        if connection is None or unit is None or connection.full or (self._skipping and not picture.keyframe):
            self._skipping = True
            self.dropped += 1
            return
        if picture.keyframe:
            self._bound(connection, picture.pts)
        self._octets += len(picture.data)
        taken = self._programme.picture(unit, picture.pts, picture.keyframe, (picture.width, picture.height))
        self._skipping = not taken
        self.dropped += not taken

    def _bound(self, connection: PushConnection, pts: int) -> None:
        """Lets as much wait for the server as a second of the stream has, going by what was sent since the keyframe before."""
        if self._keyframe_pts is not None and pts > self._keyframe_pts:
            second = self._octets * 90_000 // (pts - self._keyframe_pts)
            connection.limit(max(MIN_BACKLOG, min(second, MAX_BACKLOG)))
        self._keyframe_pts, self._octets = pts, 0

    async def _run(self) -> None:
        try:
            await self._keep_pushing()
        except Exception:  # an output that died unnoticed would say for ever that it is live
            logger.exception("the push to %s failed", self.target)
            self._say("ended", "an error in the server; its log says which")

    async def _keep_pushing(self) -> None:
        if self.target.secure and self._context is None:
            # It reads the system's certificates: 20 ms that the loop does not have.
            self._context = await asyncio.to_thread(ssl.create_default_context)
        while True:
            self._say("connecting", f"connecting to {self.target}")
            error = await self._push()
            refused = isinstance(error, Refused)
            seconds = self._backoff.failed(refused=refused)
            self._say("refused" if refused else "waiting", f"{error}; next try in {seconds:.0f} s")
            await self._sleep(seconds)

    async def _push(self) -> RtmpError:
        """One connection, from its beginning to its end; returns why it ended."""
        connection = PushConnection(self.target, self._limits)
        try:
            await connection.open(self._context if self.target.secure else None)
            self._began(connection)
            began = self._clock()
            error = await connection.wait_ended()
            if self._clock() - began >= STEADY * SECOND:
                self._backoff.succeeded()
            return error
        except RtmpError as error:
            return error
        finally:
            self._leave()
            await connection.close()

    def _began(self, connection: PushConnection) -> None:
        self._programme = Multiplexer(connection.send)
        self._transcoder = AacTranscoder(self._programme.sound)
        self._skipping, self._keyframe_pts = True, None
        self._connection = connection
        self._say("live", f"pushing to {self.target}")

    def _leave(self) -> None:
        if self._transcoder is not None:
            self._transcoder.close()
            self._programme.flush()
        self._connection = self._transcoder = None

    def _say(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        logger.info("push to %s is %s: %s", self.target, state, reason)
        self._on_state(state, reason)
