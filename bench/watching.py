"""Viewers of one stream, all in a process of their own, and what each of them saw and heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event

import aiohttp

from bench.apart import ClientFailed, measured
from bench.caller import CLOSE_TIMEOUT, CONNECT_TIMEOUT, Caller
from bench.process import Usage, usage
from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket

START_TIMEOUT = 30.0
"""s for the process to start and to hand over what it kept, on a busy machine."""
SAMPLE_INTERVAL = 1.0
"""s between two looks at the server, and at the clocks that it tells."""
CONNECT_RETRY = 0.25
"""s between two attempts to watch a stream that is not live yet."""
MAX_KEPT = 400 << 20
"""bytes of pictures that the first viewer keeps to decode afterwards, at most."""

Mapping = tuple[int, int]
"""An NTP time of the server's (64 bits, 32 below the second), and the time stamp of the same moment."""


@dataclass(frozen=True, slots=True)
class WatchPlan:
    url: str
    """Of the stream's WHEP endpoint."""
    server_pid: int
    viewers: int = 1
    warmup: float = 2.0
    """s between the first picture at every viewer and the window."""
    seconds: float = 10.0
    """The window."""
    sound: bool = False
    keep: bool = False
    """Whether the first viewer keeps all it gets."""
    enough: Event | None = None
    """Ends the window before its time."""

    @property
    def deadline(self) -> float:
        """s after which the process is ended whatever it does."""
        return START_TIMEOUT + 2 * CONNECT_TIMEOUT + self.warmup + self.seconds + CLOSE_TIMEOUT


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture. Times are monotonic ns."""

    arrival: int
    pts: int
    """90 kHz."""
    size: int
    keyframe: bool


@dataclass(slots=True)
class View:
    """One viewer's."""

    pictures: list[Seen] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    """The pictures' data, beside ``pictures``; empty unless they were to be kept."""
    sounds: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Arrival, pts at 48 kHz, and the Opus packet, where they were to be kept."""
    clocks: list[tuple[int, Mapping, Mapping]] = field(default_factory=list)
    """When it was looked at, and what the sender reports for pictures and for sound said last."""
    packets_lost: int = 0
    pictures_lost: int = 0
    """Times that the viewer gave pictures up for a missing packet."""
    closed: str = ""
    """Why it ended before it was to; mostly empty."""
    sessions: int = 0
    """Negotiated."""


@dataclass(frozen=True, slots=True)
class Watched:
    begin: int
    """The window, monotonic ns."""
    end: int
    usage: list[Usage]
    """The server's, from the window's begin to its end."""
    views: list[View]
    client_cores: float
    """CPU that the viewers used together."""

    @property
    def seconds(self) -> float:
        return (self.end - self.begin) / 1e9

    @property
    def cores(self) -> float:
        """CPU that the server used."""
        return (self.usage[-1].cpu_s - self.usage[0].cpu_s) / self.seconds

    @property
    def other_cores(self) -> float:
        """CPU that everybody else used, the publisher included."""
        machine = (self.usage[-1].machine_s - self.usage[0].machine_s) / self.seconds
        return max(0.0, machine - self.cores - self.client_cores)


def watch(plan: WatchPlan) -> Watched:
    """Runs a plan in a new process. Raises ClientFailed, and leaves no process behind."""
    return measured(_watch, plan, plan.deadline)


async def _watch(plan: WatchPlan) -> Watched:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CONNECT_TIMEOUT)) as http, viewers(plan, http) as seats:
        await asyncio.sleep(plan.warmup)
        own = time.process_time()
        samples = [usage(plan.server_pid)]
        begin = samples[0].at
        while (left := begin / 1e9 + plan.seconds - time.monotonic()) > 0 and not (plan.enough and plan.enough.is_set()):
            await asyncio.sleep(min(left, SAMPLE_INTERVAL))
            samples.append(usage(plan.server_pid))
            for seat in seats:
                seat.look()
        own = time.process_time() - own
        took = (samples[-1].at - begin) / 1e9
        return Watched(begin, samples[-1].at, samples, [seat.finished() for seat in seats], own / took)


class Seat:
    """One viewer."""

    def __init__(self, plan: WatchPlan, keep: bool) -> None:
        self.view = View(sessions=1)
        self._keep = keep
        self._kept = 0
        self._first = asyncio.Event()
        self.caller = Caller("watch", sound=plan.sound, on_picture=self._picture, on_sound=self._sound)

    async def connect(self, plan: WatchPlan, http: aiohttp.ClientSession) -> None:
        """Returns with the first picture. Raises ClientFailed."""
        await self.caller.connect(plan.url, http)
        try:
            await asyncio.wait_for(self._first.wait(), CONNECT_TIMEOUT)
        except TimeoutError:
            raise ClientFailed(f"no picture came from {plan.url} within {CONNECT_TIMEOUT:.0f} s ({self.caller.closed})") from None

    def look(self) -> None:
        """Notes what the sender reports say."""
        receiver, sound = self.caller.peer.receiver, self.caller.peer.sound_receiver
        if receiver is not None and sound is not None and receiver.mapping is not None and sound.mapping is not None:
            self.view.clocks.append((time.monotonic_ns(), receiver.mapping, sound.mapping))

    def finished(self) -> View:
        """What it saw."""
        receiver = self.caller.peer.receiver
        assert receiver is not None
        self.view.packets_lost, self.view.pictures_lost = receiver.packets_lost, receiver.pictures_lost
        self.view.closed = self.caller.closed
        return self.view

    def _picture(self, picture: EncodedPicture) -> None:
        self.view.pictures.append(Seen(time.monotonic_ns(), picture.pts, len(picture.data), picture.keyframe))
        if self._keep and self._kept < MAX_KEPT:
            self._kept += len(picture.data)
            self.view.kept.append(picture.data)
        self._first.set()

    def _sound(self, packet: SoundPacket) -> None:
        if self._keep:
            self.view.sounds.append((packet.received, packet.pts, packet.data))


@asynccontextmanager
async def viewers(plan: WatchPlan, http: aiohttp.ClientSession) -> AsyncIterator[list[Seat]]:
    """As many viewers as planned, each with a picture; they hang up at the end. Waits for the stream to be live."""
    deadline = time.monotonic() + CONNECT_TIMEOUT
    while True:
        first = Seat(plan, plan.keep)
        try:
            await first.connect(plan, http)
            break
        except ClientFailed:
            await first.caller.close(http)
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(CONNECT_RETRY)
    seats = [first]
    try:
        for _ in range(plan.viewers - 1):
            seats.append(Seat(plan, False))
            await seats[-1].connect(plan, http)
        yield seats
    finally:
        await asyncio.gather(*(seat.caller.close(http) for seat in seats))
