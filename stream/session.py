"""A stream's life, and all streams of this process.

StreamError
├── UnknownStream   no stream of that name
├── StreamExists    the name is taken by a publisher that is still there
└── NoRoom          as many streams as allowed, or the server is shutting down
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch

from stream.egress.webrtc import WebRtcEgress
from stream.ingest.webrtc import WebRtcIngest
from stream.limits import MIN_BITRATE, SECOND, Limits
from stream.load import Load
from stream.metrics import Metrics
from stream.picture import EncodedPicture
from stream.pipeline import Pipeline
from stream.report import PublisherReport, StreamReport
from stream.rtc.parameters import LocalTransport, Media, RemoteTransport
from stream.rtc.peer import Peer, PeerConfig
from stream.statistics import Statistics
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.models.store import Store

logger = logging.getLogger(__name__)

WORKERS = 4
"""Threads that prepare and close chains: more would only take the cores from running streams."""


class StreamError(Exception):
    """A stream cannot be had; the message is a sentence for the client."""


class UnknownStream(StreamError):
    pass


class StreamExists(StreamError):
    pass


class NoRoom(StreamError):
    pass


@dataclass(frozen=True, slots=True)
class Engine:
    """What all streams of a process share."""

    device: torch.device
    store: Store
    peers: PeerConfig
    metrics: Metrics
    clock: Callable[[], int] = time.monotonic_ns
    load: Load = field(default_factory=Load)
    """Reads the same clock."""

    @property
    def limits(self) -> Limits:
        return self.peers.limits


class Stream:
    """One name, its chain, and the peer that publishes and receives it. Lives on the event loop."""

    def __init__(self, name: str, engine: Engine, workers: ThreadPoolExecutor) -> None:
        self.name = name
        self.state = "connecting"
        self._engine = engine
        self._workers = workers
        self._chain = Chain(Context(engine.device, engine.store), engine.clock)
        self._statistics = Statistics(engine.metrics, engine.clock)
        self._changing = asyncio.Lock()
        self._pipeline: Pipeline | None = None
        self._ingest: WebRtcIngest | None = None
        self._egress: WebRtcEgress | None = None
        self._began = engine.clock()

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
            loop = asyncio.get_running_loop()
            plan = await loop.run_in_executor(self._workers, self._chain.prepare, steps)
            self._chain.swap(plan)

    async def loop_back(self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None]) -> LocalTransport:
        """Connects one peer both ways: what it publishes comes back to it through the chain. Raises TransportError."""
        egress = WebRtcEgress(media.video.codec, on_sent=self._sent, clock=self._engine.clock)
        peer = Peer(
            self._engine.peers,
            media,
            on_picture=self._picture,
            on_keyframe_request=self._keyframe_requested,
            on_bitrate=self._bitrate,
            on_closed=on_closed,
            clock=self._engine.clock,
        )
        # From here on ``close`` finds it, with whatever it has bound.
        self._ingest = ingest = WebRtcIngest(peer, "loop")
        local = await peer.gather()
        loop = asyncio.get_running_loop()
        self._pipeline = Pipeline(
            self.name,
            chain=self._chain,
            egress=egress,
            statistics=self._statistics,
            limits=self._engine.limits,
            load=self._engine.load,
            ask_publisher=ingest.request_keyframe,
            on_broken=lambda reason: loop.call_soon_threadsafe(on_closed, reason),
            clock=self._engine.clock,
        )
        self._egress = egress
        self._pipeline.start()
        egress.add(peer.sender)
        peer.start(remote)
        return local

    def ssrcs(self) -> tuple[dict[str, tuple[int, ...]], str]:
        """What the peer is sent: SSRCs by mid, the retransmissions' second, and the CNAME."""
        assert self._ingest is not None
        return self._ingest.peer.ssrcs(), self._ingest.peer.sender.cname

    async def close(self, reason: str) -> None:
        """Ends the publisher and the threads."""
        self.state = "ending"
        if self._ingest is not None:
            await self._ingest.close(reason)
        async with self._changing:
            closing = self._pipeline.close if self._pipeline is not None else self._chain.close
            await asyncio.get_running_loop().run_in_executor(self._workers, closing)
        self._statistics.publish_drops()

    def report(self) -> StreamReport:
        self._statistics.publish_drops()
        fps_in, octets_in = self._statistics.incoming.per_second()
        fps_out, octets_out = self._statistics.outgoing.per_second()
        width_out, height_out = self._pipeline.size_out if self._pipeline else (0, 0)
        drops = self._statistics.drops.snapshot()
        if self._chain.covered:
            drops["covered"] = self._chain.covered
        if self._ingest is not None and self._ingest.peer.sender.dropped:
            drops["line_full"] = self._ingest.peer.sender.dropped
        return StreamReport(
            stream=self.name,
            state=self.state,
            chain=self._chain.report(),
            publisher=self._publisher(),
            viewers=0,
            fps_in=fps_in,
            fps_out=fps_out,
            kbps_in=round(octets_in * 8 / 1000, 1),
            kbps_out=round(octets_out * 8 / 1000, 1),
            latency_ms=self._statistics.latency(),
            drops=drops,
            width_out=width_out,
            height_out=height_out,
            codec_out=self._egress.codec if self._egress else "",
            load_level=self._engine.load.level,
        )

    def _publisher(self) -> PublisherReport | None:
        if self._ingest is None or self._pipeline is None:
            return None
        peer = self._ingest.peer
        width, height = self._pipeline.size_in
        trip = peer.sender.round_trip
        return PublisherReport(
            protocol=self._ingest.protocol,
            codec=peer.receiver.codec,
            width=width,
            height=height,
            connected_s=round((self._engine.clock() - self._began) / SECOND, 1),
            packets_lost=peer.receiver.packets_lost,
            rtt_ms=round(trip / 1e6, 2) if trip is not None else None,
        )

    def _picture(self, picture: EncodedPicture) -> None:
        if self._pipeline is not None:
            self._pipeline.put(picture)

    def _sent(self, picture: EncodedPicture) -> None:
        if self.state == "connecting":
            self.state = "live"
        self._statistics.sent(picture.timeline, len(picture.data))
        self._engine.load.sent(picture.timeline)

    def _keyframe_requested(self) -> None:
        if self._pipeline is not None:
            self._pipeline.request_keyframe()

    def _bitrate(self, estimate: int) -> None:
        if self._pipeline is not None:
            self._pipeline.set_bitrate(max(MIN_BITRATE, min(estimate, self._engine.limits.max_bitrate)))


class Streams:
    """Every stream of this process, by name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        engine.metrics.load_level.set_function(lambda: float(engine.load.level))
        self._streams: dict[str, Stream] = {}
        self._ending: dict[Stream, asyncio.Task[None]] = {}
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="doppel-worker")
        self._draining = False

    def open(self, name: str) -> Stream:
        """A new stream. Raises StreamExists, NoRoom."""
        if self._draining:
            raise NoRoom("this server is shutting down; connect to another, or try again in a moment")
        if name in self._streams:
            raise StreamExists(f"stream {name!r} has a publisher already; use another name, or end that one first")
        if len(self._streams) >= self._engine.limits.max_streams:
            self._engine.metrics.refusals.labels("full").inc()
            raise NoRoom(f"this server runs as many streams as it may ({self._engine.limits.max_streams}); try again later")
        stream = self._streams[name] = Stream(name, self._engine, self._workers)
        self._engine.metrics.streams.set(len(self._streams))
        return stream

    def end(self, stream: Stream, reason: str) -> asyncio.Task[None]:
        """Ends a stream in the background; its name is free when the returned task is done. Again the same one, asked again."""
        task = self._ending.get(stream)
        if task is None:
            task = self._ending[stream] = asyncio.create_task(self._end(stream, reason), name=f"doppel-end-{stream.name}")
            task.add_done_callback(lambda _: self._ending.pop(stream, None))
        return task

    def reports(self) -> Iterator[StreamReport]:
        """One by one, so that the loop can do other things between two."""
        for stream in list(self._streams.values()):
            yield stream.report()

    def report(self, name: str) -> StreamReport:
        """Raises UnknownStream."""
        return self._get(name).report()

    def steps(self, name: str) -> list[Step]:
        """The chain that was asked for last. Raises UnknownStream."""
        return self._get(name).steps

    async def set_chain(self, name: str, steps: Sequence[Step]) -> None:
        """Raises UnknownStream, and TransformError or ModelError; the chain is then as it was."""
        await self._get(name).set_chain(steps)

    async def close(self) -> None:
        """Ends all streams, and takes no more."""
        self._draining = True
        for stream in list(self._streams.values()):
            self.end(stream, "the server is shutting down")
        if self._ending:
            await asyncio.wait(self._ending.values(), timeout=2 * self._engine.limits.close_timeout)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _get(self, name: str) -> Stream:
        stream = self._streams.get(name)
        if stream is None:
            raise UnknownStream(f"there is no stream {name!r} now; GET /api/streams lists those there are")
        return stream

    async def _end(self, stream: Stream, reason: str) -> None:
        if stream.state == "ending":
            # Whoever asks after the end: it is over.
            return
        logger.info("stream %s ends: %s", stream.name, reason, extra={"stream": stream.name})
        try:
            await stream.close(reason)
        finally:
            if self._streams.get(stream.name) is stream:
                del self._streams[stream.name]
            self._engine.metrics.streams.set(len(self._streams))
