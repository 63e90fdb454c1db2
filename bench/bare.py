"""The bare codec loop: what a server that does nothing but decode and encode would manage on this machine.

Each stream is a thread that decodes the clip and encodes it again with doppel's own codecs, on the beat of 30 fps. Nothing is
sent or received, so that nobody's client takes its share of the cores; a process that burns as much stands in for it.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from bench import clip
from bench.apart import measured
from bench.process import usage
from bench.progress import say
from bench.quantiles import quantile
from bench.result import Result
from stream.codec import VideoEncoder
from stream.decoder import Decoder
from stream.limits import Limits
from stream.picture import EncodedPicture
from transforms.frame import Timeline

NAME = "bare codec loop"
START_TIMEOUT = 30.0
"""s for the process to import what it needs, and to hand over what it measured."""
DRAIN = 5.0
"""s that the last frames may take on a machine that is far behind."""


@dataclass(frozen=True, slots=True)
class Plan:
    streams: int
    warmup: float
    seconds: float
    load_pid: int
    """The process that stands in for the client."""


@dataclass(frozen=True, slots=True)
class _Frame:
    due: float
    """Monotonic s at which it was to begin."""
    ms: float
    """From then until it was encoded."""
    size: int


def run(streams: int, *, seconds: float, warmup: float, client_cores: float) -> Result:
    """Measures so many streams beside a client's load. Raises ClientFailed. There is no PSNR and no connecting: NaN."""
    with _load(streams, client_cores) as pid:
        plan = Plan(streams, warmup, seconds, pid)
        result = measured(_measure, plan, START_TIMEOUT + warmup + seconds + DRAIN)
    say(
        f"  {NAME} x{streams}: p50 {result.p50:.1f} p95 {result.p95:.1f} ms, {result.cores:.2f} cores "
        f"(stand-in for the client {result.client_cores:.2f}, others {result.other_cores:.2f}), {result.kbps:.0f} kb/s"
    )
    return result


async def _measure(plan: Plan) -> Result:
    frames = clip.encoded("H264").frames
    stop = Event()
    begin = time.monotonic() + plan.warmup
    phases = [begin - plan.warmup + place / plan.streams / clip.FPS for place in range(plan.streams)]
    work = asyncio.gather(*(asyncio.to_thread(_stream, frames, phase, stop) for phase in phases))
    await asyncio.sleep(begin - time.monotonic())
    first, load = usage(os.getpid()), usage(plan.load_pid)
    await asyncio.sleep(plan.seconds)
    last, load_last = usage(os.getpid()), usage(plan.load_pid)
    stop.set()
    streams = await asyncio.wait_for(work, DRAIN)
    seconds, end = (last.at - first.at) / 1e9, begin + plan.seconds
    inside = [frame for stream in streams for frame in stream if begin <= frame.due < end]
    # What was due and not begun when the window ended is at least as late as it already was.
    left = [end - (phase + len(stream) / clip.FPS) for phase, stream in zip(phases, streams, strict=True)]
    late = [(behind - number / clip.FPS) * 1e3 for behind in left for number in range(math.ceil(behind * clip.FPS))]
    ms = [frame.ms for frame in inside] + late
    cores, client = (last.cpu_s - first.cpu_s) / seconds, (load_last.cpu_s - load.cpu_s) / seconds
    return Result(
        peers=plan.streams,
        seconds=plan.seconds,
        p50=quantile(ms, 0.50),
        p95=quantile(ms, 0.95),
        p99=quantile(ms, 0.99),
        sent=len(ms),
        lost=len(late),
        unreadable=0,
        broken=0,
        fps=len(inside) / plan.seconds / plan.streams,
        kbps=sum(frame.size for frame in inside) * 8 / plan.seconds / plan.streams / 1e3,
        psnr=math.nan,
        psnr_sent=math.nan,
        cores=cores,
        rss_mb=last.rss_mb,
        client_cores=client,
        other_cores=max(0.0, (last.machine_s - first.machine_s) / seconds - cores - client),
        connect_ms=math.nan,
        turns=[(frame.due - begin, frame.ms) for frame in inside],
        rss=[(0.0, first.rss_mb), (seconds, last.rss_mb)],
    )


def _stream(frames: list[bytes], began: float, stop: Event) -> list[_Frame]:
    """One stream, in a thread, with what a doppel server starts with."""
    limits = Limits()
    decoder = Decoder("H264", limits.max_pixels)
    encoder = VideoEncoder("H264", limits.start_bitrate, limits.max_bitrate)
    done: list[_Frame] = []
    while not stop.is_set():
        number = len(done)
        due = began + number / clip.FPS
        time.sleep(max(0.0, due - time.monotonic()))
        data = frames[number % len(frames)]
        size = 0
        for frame in decoder.decode(EncodedPicture(data, number * clip.TICKS, number == 0, "H264", Timeline())):
            encoded = encoder.encode(frame)
            size += len(encoded.data) if encoded else 0
        done.append(_Frame(due, (time.monotonic() - due) * 1e3, size))
    return done


@contextmanager
def _load(streams: int, cores: float) -> Iterator[int]:
    """A process that uses so many cores, in small pieces that follow the streams' frames; its pid."""
    process = multiprocessing.get_context("spawn").Process(target=_burn, args=(streams, cores), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        yield process.pid
    finally:
        process.kill()
        process.join()


def _burn(streams: int, cores: float) -> None:
    step = 1 / clip.FPS / streams
    due = time.monotonic()
    while True:
        until = time.thread_time() + cores * step
        while time.thread_time() < until:
            pass
        due = max(due + step, time.monotonic() - step)
        time.sleep(max(0.0, due - time.monotonic()))
