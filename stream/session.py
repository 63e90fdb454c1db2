"""A stream's life: its publisher comes, drops and returns; its viewers stay."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from stream.audience import Audience
from stream.blanks import Blanks
from stream.connection import Connection
from stream.egress import Egress
from stream.egress.webrtc import WebRtcEgress
from stream.engine import Engine
from stream.errors import UnknownStream
from stream.events import Happening, Observer, StreamEvent
from stream.ingest import Ingest
from stream.limits import FIRST_PACKET, SECOND, SILENCE, STREAM_BEAT
from stream.outputs import Outputs
from stream.peers import Peers
from stream.picture import EncodedPicture
from stream.pipeline import Pipeline
from stream.publication import Publication
from stream.rendition import STEADY, Kind, Rendition
from stream.report import PublisherReport, SoundReport, StreamReport
from stream.rtc.parameters import Media, RemoteTransport
from stream.sound.elsewhere import Elsewhere, Heard
from stream.sound.packet import SoundPacket
from stream.sound.sound import Sound
from stream.statistics import Statistics
from stream.tally import StageTally, StreamTally
from stream.thumbnail import Thumbnail
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.errors import TransformError

logger = logging.getLogger(__name__)


class Stream:
    """One name, its chain, its publisher and its viewers. Lives on the event loop.

    ``on_over`` is called when it should end, and ends it.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        workers: ThreadPoolExecutor,
        *,
        on_over: Callable[[Stream, str], asyncio.Task[None]],
        credential: str | None = None,
        private: bool = False,
        observer: Observer = lambda event: None,
        find_sound: Callable[[str], Heard | None] = lambda name: None,
    ) -> None:
        """``private``: it belongs to one peer, and ends with it. ``find_sound`` looks for another stream's, from any thread;
        it is used where ``Engine.allow_listening`` says so.
        """
        self.name = name
        self.state = "connecting"
        self.private = private
        self._credential = credential
        self._engine = engine
        self._workers = workers
        self._on_over = on_over
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._zero = engine.clock()
        """When the stream's time was 0, monotonic ns."""
        self._epoch = time.time_ns()
        """The same, Unix ns."""
        self._last_pts = 0
        """90 kHz, of pictures and sound."""
        self._find_sound = find_sound
        self._context = Context(
            engine.device, engine.store, lambda: self._sound.tap(), self._listen_to if engine.allow_listening else None
        )
        self._chain = Chain(self._context, engine.clock)
        self._statistics = Statistics(engine.metrics, engine.clock)
        self._changing = asyncio.Lock()
        self._coming: Publication | None = None
        """One who may publish, and has sent nothing yet."""
        self._coming_until: int | None = None
        """When it must have, monotonic ns."""
        self._publication: Publication | None = None
        self._lost_since = self._zero
        self._pipeline = Pipeline(
            name,
            chain=self._chain,
            statistics=self._statistics,
            limits=engine.limits,
            load=engine.load,
            ask_publisher=self._ask_publisher,
            on_broken=self._broken,
            clock=engine.clock,
        )
        self._audience = Audience(
            self._pipeline,
            limits=engine.limits,
            drops=self._statistics.drops,
            make_egress=self._make_egress,
            make_rendition=self._make_rendition,
            clock=engine.clock,
        )
        self._sound = Sound(
            deliver=self._deliver_sound,
            delay=self._statistics.delay,
            behind=lambda: self._chain.sound_delay,
            voice=lambda: self._chain.voice,
            drops=self._statistics.drops,
            clock=engine.clock,
            name=name,
        )
        self._blanks = Blanks(wanted=self._blanks_wanted, show=self._show_blank, clock=engine.clock)
        self._thumbnail = Thumbnail(lambda: self._pipeline.shown, engine.clock)
        self._steady: Rendition | None = None
        self._egresses: list[Egress] = []
        """Fed by the steady rendition."""
        self.outputs = Outputs(
            name, engine.outputs, attach=self._attach, detach=self._detach, changed=lambda: self._tell("changed")
        )
        self._peers = Peers(
            self,
            engine,
            self._audience,
            self._epoch,
            on_arrival=self._show_again,
            on_over=lambda reason: self._on_over(self, reason),
            refused=lambda reason: self._tell("refused", reason),
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pipeline.start()
        self._beat()

    @property
    def sound(self) -> Heard:
        """For other streams that listen."""
        return self._sound

    def _listen_to(self, name: str) -> Elsewhere:
        return Elsewhere(lambda: self._sound.zero, lambda: self._find_sound(name), self._engine.clock)

    # ---- the chain

    @property
    def steps(self) -> list[Step]:
        return self._chain.steps

    async def set_chain(self, steps: Sequence[Step]) -> None:
        """Prepares what is new beside the running chain, then changes over at a frame boundary.

        Raises TransformError or ModelError; the chain is then as it was.
        """
        async with self._changing:
            if self.state == "ending":
                raise UnknownStream(f"stream {self.name!r} is ending")
            try:
                plan = await self._loop.run_in_executor(self._workers, self._chain.prepare, steps)
            except TransformError as error:
                if self.state == "ending":
                    raise UnknownStream(f"stream {self.name!r} is ending") from error
                raise
            self._chain.swap(plan)
            self._tell("changed")

    # ---- who publishes

    @property
    def published(self) -> bool:
        """Whether somebody publishes, or is about to."""
        return self._publication is not None or self._coming is not None

    @property
    def held(self) -> bool:
        """Whether it is kept for its publisher alone, who is away."""
        return self.state == "waiting" and not self.wanted

    @property
    def wanted(self) -> bool:
        """Whether somebody publishes it, or waits for it."""
        return self.published or bool(self._peers.viewers or self._egresses)

    @property
    def publishers(self) -> list[Ingest]:
        """Who publishes, and who is about to."""
        publications = (self._publication, self._coming)
        return [each.ingest for each in publications if each is not None and each.ingest is not None]

    def belongs_to(self, credential: str | None) -> bool:
        """Whether somebody with this credential may publish it: who came first decides."""
        if self.private:
            return False
        mine, theirs = ((word or "").encode("utf-8", "surrogatepass") for word in (self._credential, credential))
        return hmac.compare_digest(mine, theirs)

    def attach(self, make: Callable[[Publication], Ingest], *, patient: bool = False) -> Ingest:
        """Lets somebody publish. It takes over with its first keyframe; until then who publishes now goes on.

        Its first packet has to come within FIRST_PACKET, unless it is ``patient``, and ends by itself. Raises UnknownStream.
        """
        if self.state == "ending":
            raise UnknownStream(f"stream {self.name!r} is ending")
        publication = Publication(
            began=self._zero,
            after=lambda: self._last_pts,
            on_begin=self._begins,
            on_picture=self._picture,
            on_sound=self._heard,
            on_closed=self._closed,
            own_time=self.private,
            keyframe_first=self._pipeline.size_in != (0, 0),
            clock=self._engine.clock,
        )
        publication.ingest = ingest = make(publication)
        if self._coming is not None:
            self._own(self._coming.end("another publisher came"))
        self._coming, now = publication, self._engine.clock()
        self._coming_until = None if patient else now + FIRST_PACKET
        self._lost_since = now
        return ingest

    # ---- WebRTC, both ways

    async def publish(
        self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None], protocol: str = "whip"
    ) -> Connection:
        """Connects a peer that only publishes. Raises TransportError."""
        return await self._peers.publish(media, remote, on_closed, protocol)

    async def loop_back(self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None]) -> Connection:
        """Connects one peer both ways: what it publishes comes back to it through the chain. Raises TransportError."""
        return await self._peers.loop_back(media, remote, on_closed)

    async def watch(
        self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None], protocol: str = "whep"
    ) -> Connection:
        """Connects a viewer. Raises NotLive, NoRoom and TransportError."""
        return await self._peers.watch(media, remote, on_closed, protocol)

    # ---- where else it goes

    def _attach(self, egress: Egress) -> None:
        """Sends the stream to a file or a server too, in one size and at one rate."""
        self._egresses.append(egress)
        if self._steady is None:
            self._steady = self._make_rendition(STEADY, egress)
            self._pipeline.add(self._steady)
        else:
            self._steady.egresses = tuple(self._egresses)
        self._steady.request_keyframe()
        self._show_again()

    async def _detach(self, egress: Egress, reason: str) -> None:
        """Ends it. With one that is not there nothing is to be done."""
        if egress not in self._egresses:
            return
        self._egresses.remove(egress)
        if self._steady is not None:
            self._steady.egresses = tuple(self._egresses)
            if not self._egresses:
                self._pipeline.remove(self._steady)
                self._steady = None
        await egress.close(reason)

    # ---- the end

    async def close(self, reason: str) -> None:
        """Ends everybody, and the threads."""
        self.state = "ending"
        if self._timer is not None:
            self._timer.cancel()
        for publication in (self._coming, self._publication):
            if publication is not None:
                self._own(publication.end(reason))
        for viewer in self._peers.viewers:
            self._own(asyncio.create_task(viewer.peer.close(reason), name="doppel-end-viewer"))
        self._own(asyncio.create_task(self.outputs.close(reason), name="doppel-end-outputs"))
        self._own(asyncio.create_task(self._sound.close(), name="doppel-end-sound"))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2 * self._engine.limits.close_timeout)
        # Not by the workers: all of them may be waiting for models.
        await asyncio.to_thread(self._pipeline.close)
        self._statistics.publish_drops()

    async def thumbnail(self) -> bytes | None:
        """A small JPEG of what it shows; None where it shows nothing."""
        return await self._thumbnail.get()

    def tally(self) -> StreamTally:
        """What was counted so far."""
        self._statistics.publish_drops()
        incoming, (pictures_out, bytes_out) = self._statistics.incoming, self._pipeline.sent
        drops = self._statistics.drops.snapshot()
        if self._chain.covered:
            drops["covered"] = self._chain.covered
        ingest = self._publication.ingest if self._publication is not None else None
        peers = [viewer.peer for viewer in self._audience.viewers]
        return StreamTally(
            stream=self.name,
            state=self.state,
            pictures_in=incoming.count,
            bytes_in=incoming.total,
            pictures_out=pictures_out,
            bytes_out=bytes_out,
            stages=self._statistics.stages(),
            transforms=[(key, StageTally(frames, spent, errors)) for key, frames, spent, errors in self._chain.totals()],
            usages=self._context.meter.snapshot(),
            drops=drops,
            viewers=len(peers),
            outputs=Counter(output.state for output in self.outputs.reports()),
            lost_receiving=ingest.packets_lost if ingest is not None else 0,
            lost_sending=sum(peer.packets_lost_sending for peer in peers),
            trip_receiving=ingest.round_trip if ingest is not None else None,
            trip_sending=max((peer.round_trip for peer in peers if peer.round_trip is not None), default=None),
        )

    def report(self) -> StreamReport:
        self._statistics.publish_drops()
        fps_in, octets_in = self._statistics.incoming.per_second()
        renditions, measured = self._pipeline.renditions, self._measured()
        fps_out, octets_out = measured.rates() if measured is not None else (0.0, 0.0)
        width_out, height_out = measured.size if measured is not None else (0, 0)
        drops = self._statistics.drops.snapshot()
        if self._chain.covered:
            drops["covered"] = self._chain.covered
        audience = [viewer.report() for viewer in self._audience.viewers]
        return StreamReport(
            stream=self.name,
            state=self.state,
            chain=self._chain.report(),
            publisher=self._publisher(),
            viewers=len(audience),
            audience=audience,
            renditions=[
                rendition.report(len(self._egresses) if rendition is self._steady else self._audience.receivers(rendition))
                for rendition in renditions
            ],
            sound=SoundReport(self._sound.codec, self._sound.transcoded, round(self._sound.delay_ms, 1))
            if self._sound.codec
            else None,
            outputs=self.outputs.reports(),
            fps_in=fps_in,
            fps_out=fps_out,
            kbps_in=round(octets_in * 8 / 1000, 1),
            kbps_out=round(octets_out * 8 / 1000, 1),
            latency_ms=self._statistics.latency(),
            drops=drops,
            width_out=width_out,
            height_out=height_out,
            codec_out=measured.codec if measured is not None else "",
            load_level=self._engine.load.level,
        )

    def _publisher(self) -> PublisherReport | None:
        publication = self._publication or self._coming
        if publication is None or publication.ingest is None:
            return None
        width, height = self._pipeline.size_in
        trip = publication.ingest.round_trip
        return PublisherReport(
            protocol=publication.ingest.protocol,
            codec=publication.codec,
            width=width,
            height=height,
            connected_s=round((self._engine.clock() - publication.began) / SECOND, 1) if publication.began is not None else 0.0,
            packets_lost=publication.ingest.packets_lost,
            rtt_ms=round(trip / 1e6, 2) if trip is not None else None,
        )

    # ---- what happens

    def _begins(self, publication: Publication) -> None:
        """A publisher's first packet is there."""
        self._count_lost()
        self._statistics.drops.add("awaiting_keyframe", publication.skipped)
        before, self._publication = self._publication, publication
        if self._coming is publication:
            self._coming = None
        if before is not None:
            logger.info("stream %s has another publisher", self.name, extra={"stream": self.name})
            self._own(before.end("another publisher took over"))
        self._pipeline.begin()
        self._sound.begin()
        self._blanks.begin()
        if self.state != "ending":
            first, self.state = self.state == "connecting", "live"
            if first:
                self._tell("published", f"by {publication.ingest.protocol}" if publication.ingest is not None else "")
            else:
                self._tell("returned", "another publisher took over" if before is not None else "")

    def _closed(self, publication: Publication, reason: str) -> None:
        """A publisher is gone."""
        if self._coming is publication:
            self._coming = None
        elif self._publication is publication:
            self._count_lost()
            self._publication = None
            self._lost_since = self._engine.clock()
        else:
            return
        if self.state == "ending" or self._publication is not None:
            return
        if self.private or self.state == "connecting":
            self._on_over(self, reason)
            return
        self._waits(reason)

    def _waits(self, reason: str) -> None:
        """Viewers are kept for a publisher who is gone, or silent."""
        logger.info("stream %s waits for its publisher: %s", self.name, reason, extra={"stream": self.name})
        self.state = "waiting"
        self._tell("lost", reason)

    def _returned(self) -> None:
        """One who was silent goes on."""
        if self.state == "waiting":
            self.state = "live"
            self._tell("returned")

    def _beat(self) -> None:
        """Looks after the stream now, and every STREAM_BEAT until its end."""
        self._timer = self._loop.call_later(STREAM_BEAT, self._beat)
        self._audience.look()
        self._count_lost()
        self._show_again()
        now, coming = self._engine.clock(), self._coming
        if coming is not None and self._coming_until is not None and now >= self._coming_until:
            reason = f"nothing came from the publisher for {FIRST_PACKET // SECOND} s"
            self._own(coming.end(reason))
            self._closed(coming, reason)
        if self.state == "live" and not self.private and self._publication and now - self._publication.heard >= SILENCE:
            self._lost_since = self._publication.heard
            self._waits(f"nothing came for {SILENCE // SECOND} s")
        away = (now - self._lost_since) / SECOND
        if self.state == "waiting" and self._coming is None and away >= self._engine.limits.publisher_timeout:
            self._on_over(self, f"its publisher has been away for {self._engine.limits.publisher_timeout:g} s")

    def _count_lost(self) -> None:
        if self._publication is not None:
            self._statistics.drops.add("not_received", self._publication.lost())

    def _show_again(self) -> None:
        """Shows the last picture again: to those who came since, and so that no viewer takes the line for dead."""
        if self.state == "live":
            if self._pipeline.keyframe_due:
                # The publisher is still there, and its next picture is not to be earlier than this one.
                self._pipeline.repeat()
            return
        pts = (self._engine.clock() - self._zero) * 90_000 // SECOND
        if self.state == "waiting" and pts > self._last_pts:
            self._last_pts = pts
            self._pipeline.repeat(pts)

    def _picture(self, picture: EncodedPicture) -> None:
        self._returned()
        self._blanks.pictured()
        self._last_pts = max(self._last_pts, picture.pts)
        self._sound.seen(picture.pts, picture.timeline.received)
        self._pipeline.put(picture)

    def _heard(self, packet: SoundPacket) -> None:
        self._returned()
        self._last_pts = max(self._last_pts, packet.pts * 15 // 8)
        self._sound.put(packet)
        self._blanks.heard(packet)
        self._own(self._blanks.start())

    def _blanks_wanted(self) -> bool:
        return self.state == "live" and bool(self._pipeline.renditions) and self._chain.makes_pictures

    def _show_blank(self, pts: int) -> None:
        self._last_pts = max(self._last_pts, pts)
        self._sound.seen(pts, self._engine.clock())
        self._pipeline.put_blank(pts)

    def _deliver_sound(self, packet: SoundPacket) -> None:
        self._audience.sound(packet)
        for egress in self._egresses:
            egress.sound(packet)

    def _ask_publisher(self) -> None:
        publication = self._publication
        if publication is not None and publication.ingest is not None:
            publication.ingest.request_keyframe()

    def _broken(self, reason: str) -> None:
        """A thread failed."""
        try:
            self._loop.call_soon_threadsafe(self._on_over, self, reason)
        except RuntimeError:
            # The loop has ended, and the stream with it.
            return

    def _make_egress(self, codec: str) -> WebRtcEgress:
        return WebRtcEgress(codec, on_sent=self._sent, clock=self._engine.clock)

    def _make_rendition(self, kind: Kind, egress: Egress) -> Rendition:
        return Rendition(
            kind,
            egress,
            drops=self._statistics.drops,
            limits=self._engine.limits,
            load=self._engine.load,
            on_broken=self._broken,
            clock=self._engine.clock,
        )

    def _sent(self, egress: Egress, picture: EncodedPicture) -> None:
        if self.state != "live":
            # A repeat tells nothing of latency.
            return
        measured = self._measured()
        if measured is not None and egress in measured.egresses:
            self._statistics.sent(picture.timeline)
            self._engine.load.sent(picture.timeline)

    def _measured(self) -> Rendition | None:
        """The rendition whose figures are the stream's: the viewers' first, or else the steady one."""
        renditions = self._pipeline.renditions
        return next((rendition for rendition in renditions if not rendition.kind.steady), renditions[0] if renditions else None)

    def _tell(self, happening: Happening, reason: str = "") -> None:
        self._observer(StreamEvent(self.name, happening, reason))

    def _own(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
