"""What RTMP's way in costs, in a process of its own: the protocol on uvloop, and a decoder in a thread, as in the server.

The publishers are in other processes, and the first notes when it hands a picture to its socket.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench import clip, flv
from bench.apart import measured
from bench.flv import Tag
from bench.publishing import Publisher, RtmpPlan
from stream.decoder import Decoder
from stream.ingest.rtmp import RtmpIngest
from stream.picture import EncodedPicture
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.server import RtmpServer
from transforms.frame import Timeline

LOOPBACK = "127.0.0.1"
MAX_PIXELS = 1920 * 1088
START_TIMEOUT = 60.0
"""s for this process and the publishers' to start and to end, on a busy machine."""
SETTLE = 0.5
"""s at the beginning that are left out."""


@dataclass(frozen=True, slots=True)
class ArrivalPlan:
    port: int
    """Where to listen."""
    frames: Sequence[bytes] = field(repr=False)
    """What is published, for a bare decoder."""
    seconds: float
    streams: int
    decode: bool


@dataclass(frozen=True, slots=True)
class _Received:
    """Of the first stream; monotonic ns."""

    received: list[int]
    decoded: list[int]
    bare_ms: list[float]
    loop_cores: float
    kbps: float


@dataclass(frozen=True, slots=True)
class Arrived:
    decoded_ms: list[float]
    """From a picture being handed to the publisher's socket to its being decoded."""
    bare_ms: list[float]
    """For the same pictures to be decoded where they lie in memory, 30 a second."""
    tag_ms: list[float]
    """From the publisher's socket to the picture being in hand."""
    loop_cores: float
    """CPU of the event loop's thread, for all streams."""
    kbps: float
    """Of pictures, a stream."""


def measure(frames: Sequence[bytes], tags: Sequence[Tag], *, seconds: float, streams: int, decode: bool) -> Arrived:
    """Publishes so many streams at once. Raises ClientFailed, and leaves no process behind."""
    port = free_port()
    plan = ArrivalPlan(port, frames, seconds, streams, decode)
    with ThreadPoolExecutor(1) as thread, ExitStack() as stack:
        publishers = [
            stack.enter_context(Publisher(RtmpPlan(port, str(number), tags, log=number == 0))) for number in range(streams)
        ]
        receiving = thread.submit(measured, _receive, plan, 2 * seconds + START_TIMEOUT)
        for publisher in publishers:
            publisher.begin()
        found = receiving.result()
        sent = publishers[0].sent()
    skip = int(SETTLE * clip.FPS)

    def after(times: list[int]) -> list[float]:
        return [(time - at) / 1e6 for at, time in zip(sent, times, strict=False)][skip:]

    return Arrived(after(found.decoded), found.bare_ms, after(found.received), found.loop_cores, found.kbps)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


async def _receive(plan: ArrivalPlan) -> _Received:
    received: list[int] = []
    decoded: list[int] = []
    octets = 0
    publishing: set[str] = set()
    all_there = asyncio.Event()
    with ThreadPoolExecutor(1) as thread:
        decoder = Decoder("H264", MAX_PIXELS)

        def decode(picture: EncodedPicture) -> None:
            decoded.extend(time.monotonic_ns() for _ in decoder.decode(picture))

        def first(picture: EncodedPicture) -> None:
            received.append(time.monotonic_ns())
            if plan.decode:
                thread.submit(decode, picture)
            others(picture)

        def others(picture: EncodedPicture) -> None:
            nonlocal octets
            octets += len(picture.data)

        async def on_publish(request: PublishRequest, connection: Connection) -> RtmpIngest:
            publishing.add(request.name)
            if len(publishing) == plan.streams:
                all_there.set()
            return RtmpIngest(connection, on_video=first if request.name == "0" else others)

        server = RtmpServer(on_publish)
        await server.listen(LOOPBACK, plan.port)
        await asyncio.wait_for(all_there.wait(), START_TIMEOUT)
        await asyncio.sleep(SETTLE)
        octets, began, own = 0, time.monotonic(), time.thread_time()
        await asyncio.sleep(plan.seconds)
        own, took = time.thread_time() - own, time.monotonic() - began
        kbps = octets * 8e-3 / took / plan.streams
        await server.close()
    bare = await asyncio.to_thread(_bare, plan) if plan.decode else []
    return _Received(received, decoded, bare, own / took, kbps)


def _bare(plan: ArrivalPlan) -> list[float]:
    """The pictures of the window, decoded on the beat of a clock."""
    decoder = Decoder("H264", MAX_PIXELS)
    found: list[float] = []
    began = time.monotonic()
    for number in range(int(plan.seconds * clip.FPS)):
        time.sleep(max(0.0, began + number / clip.FPS - time.monotonic()))
        picture = EncodedPicture(
            plan.frames[number % len(plan.frames)], number * clip.TICKS, number % clip.GOP_FRAMES == 0, "H264", Timeline()
        )
        at = time.monotonic_ns()
        found.extend((time.monotonic_ns() - at) / 1e6 for _ in decoder.decode(picture))
    return found


def tags_of(frames: Sequence[bytes]) -> list[Tag]:
    """What a publisher sends."""
    return list(flv.tags(flv.mux("H264", frames, gop=clip.GOP_FRAMES, count=len(frames))))
