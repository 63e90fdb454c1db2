"""Pictures and sound from a file, or from any URL that FFmpeg reads.

FFmpeg reads in a process of its own. Not for the GIL: PyAV 18.1 lets go of it while it opens and reads, and beside a thread with
a mute, stalled or dripping peer (HTTP, RTSP, RTMP) an event loop is as late as beside one that sleeps. But a thread cannot be
ended. It comes back when its timeout is over and no sooner, and the resolver knows none, so no ``close`` could keep its time;
and a file that crashes FFmpeg, or makes it take memory, would take the server along. The process costs 22 MB and 0.3 s to
start, at 720p30 and 6 Mb/s 0.6 % of a core there and 2 % here, and is gone 10 ms after it was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable

from stream.limits import SECOND, Limits
from stream.media.limits import ATTEMPTS, OPEN_TIMEOUT, SEGMENT_TIMEOUT, SILENCE_TIMEOUT, STEADY, TICKS
from stream.media.message import End, Format, Header
from stream.media.pacing import Pacing
from stream.media.process import ReaderGone, ReaderProcess
from stream.media.reader import Job
from stream.media.source import Source
from stream.picture import EncodedPicture
from stream.rtmp.backoff import Backoff
from stream.sound.packet import CLOCK_RATE, SoundPacket
from transforms.frame import Timeline

logger = logging.getLogger(__name__)

PICTURE_RATE = 90_000
"""Hz."""

MAX_PIXELS = Limits().max_pixels


class MediaIngest:
    """Reads one source, from ``start`` to its end, its last failure, or ``close``.

    A file comes at the pace of its own time stamps, and over and over where ``loop`` says so: these then go on. What is live
    comes as it comes, and when it is lost is tried again, at longer and longer intervals. Packets are in the order of decoding.
    """

    def __init__(
        self,
        source: Source,
        *,
        on_video: Callable[[EncodedPicture], None],
        on_audio: Callable[[SoundPacket], None] = lambda _: None,
        on_closed: Callable[[str], None] = lambda _: None,
        loop: bool = False,
        max_pixels: int = MAX_PIXELS,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        open_timeout: float = OPEN_TIMEOUT,
        silence_timeout: float | None = None,
    ) -> None:
        """``source`` is what ``Allowed.source`` made of a URL. All of ``on_...`` are called on the loop; ``on_closed`` once.

        ``silence_timeout`` is how long nothing may come, s; None is what suits the source.
        """
        self.source = source
        self.protocol = source.protocol
        self.format: Format | None = None
        """What the source has, once that is known."""
        self._on_video = on_video
        self._on_audio = on_audio
        self._on_closed = on_closed
        self._repeat = loop
        self._max_pixels = max_pixels
        self._clock = clock
        self._sleep = sleep
        self._open_timeout = open_timeout
        self._silence_timeout = silence_timeout
        self._end = 0
        """Ticks of the last packet."""
        self._received: int | None = None
        """ns when it came."""
        self._configuration = b""
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begins to read. Called once, on the loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"doppel-source-{self.source}")

    @property
    def pictures_lost(self) -> int:
        return 0

    @property
    def packets_lost(self) -> int:
        """None that anybody counts."""
        return 0

    @property
    def round_trip(self) -> int | None:
        return None

    def request_keyframe(self) -> None:
        """Nothing that is read can be asked for one."""

    async def close(self, reason: str) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._over(reason)

    def _over(self, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._on_closed(reason)

    async def _run(self) -> None:
        reason = "the source could not be read because of a fault of the server"
        try:
            reason = await self._read()
        except asyncio.CancelledError:
            # ``close`` says why.
            reason = ""
            raise
        except Exception:  # the task's own end: whoever is called with a packet may fail, and viewers must not wait for more
            logger.exception("source %s failed", self.source)
        finally:
            if reason:
                logger.info("source %s: %s", self.source, reason)
                self._over(reason)

    async def _read(self) -> str:
        """Reads it, again and again where that may help; returns why no more."""
        backoff, failures = Backoff(), 0
        while True:
            began = self._clock()
            end = await self._read_once()
            if end.final:
                return end.reason
            if self._received is not None and self._received - began >= STEADY * SECOND:
                backoff.succeeded()
                failures = 0
            failures += 1
            if failures >= ATTEMPTS:
                return f"{end.reason}; given up after {failures} tries"
            seconds = backoff.failed()
            logger.warning("source %s: %s; next try in %.0f s", self.source, end.reason, seconds)
            await self._sleep(seconds)

    async def _read_once(self) -> End:
        live = self.source.push or (self.format is not None and self.format.live)
        try:
            process = await ReaderProcess.start(Job(self.source, self._repeat and not live, self._present(), self._max_pixels))
        except OSError as error:
            return End(f"no process to read it can be had: {error.strerror}", final=True)
        timeout, pacing = self._open_timeout, Pacing(self._clock)
        self.format = None
        try:
            while True:
                async with asyncio.timeout(timeout):
                    header, payload = await process.read()
                if header.kind == "end":
                    return End(**json.loads(payload))
                if header.kind == "format":
                    self.format = Format(**json.loads(payload))
                    live, timeout = self.format.live, self._silence(self.format)
                    self._configuration = bytes.fromhex(self.format.configuration)
                elif self.format is not None:
                    if self.format.paced and (seconds := pacing.wait(header.dts)):
                        await self._sleep(seconds)
                    self._take(self.format, header, payload)
        except TimeoutError:
            return End(f"nothing came from the source for {timeout:g} s", final=not live)
        except ReaderGone as error:
            return End(str(error), final=not live)
        finally:
            await process.stop()

    def _take(self, form: Format, header: Header, payload: bytes) -> None:
        received = self._clock()
        self._end, self._received = max(self._end, header.dts), received
        if header.kind == "picture":
            pts, timeline = header.pts * PICTURE_RATE // TICKS, Timeline(received=received)
            self._on_video(EncodedPicture(payload, pts, header.keyframe, form.codec, timeline, form.width, form.height))
        else:
            self._on_audio(SoundPacket(payload, header.pts * CLOCK_RATE // TICKS, form.sound, self._configuration, received))

    def _silence(self, form: Format) -> float:
        if self._silence_timeout is not None:
            return self._silence_timeout
        return SEGMENT_TIMEOUT if self.protocol == "http" else SILENCE_TIMEOUT

    def _present(self) -> int:
        """Where time stamps go on, ticks: as much later as it is."""
        if self._received is None:
            return 0
        return self._end + (self._clock() - self._received) * TICKS // SECOND
