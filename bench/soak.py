"""Streams that stay, one that leaves and comes back all the while, and the server's vitals every few seconds."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass

import aiohttp

from bench import clip
from bench.apart import measured
from bench.client import CLOSE_TIMEOUT, CONNECT_TIMEOUT, START_TIMEOUT, ClientPeer, Plan, only_loopback
from bench.progress import say
from bench.vitals import Vitals, session, vitals

GUEST_SECONDS = 1.0
"""s that the guest stays, and s that it is away."""
REPORT_INTERVAL = 60.0
"""s between two lines of progress."""


@dataclass(frozen=True, slots=True)
class SoakPlan:
    origin: str
    """The server's http://host:port."""
    server_pid: int
    urls: list[str]
    """Of the streams that stay."""
    guest_url: str
    seconds: float
    interval: float
    """s between two looks."""

    @property
    def deadline(self) -> float:
        """s after which the process is ended whatever it does."""
        return CONNECT_TIMEOUT * (len(self.urls) + 1) + self.seconds + CLOSE_TIMEOUT + START_TIMEOUT


@dataclass(frozen=True, slots=True)
class Sample:
    after: float
    """s since all that stay were there."""
    vitals: Vitals
    fps: float
    """Of each stream that stays, since the last sample."""
    visits: int
    """Of the guest so far."""


@dataclass(frozen=True, slots=True)
class Soak:
    idle: Vitals
    """Before anybody came."""
    samples: list[Sample]


def soak(plan: SoakPlan) -> Soak:
    """Runs a plan in a new process. Raises ClientFailed, and leaves no process behind."""
    return measured(_soak, plan, plan.deadline)


async def _soak(plan: SoakPlan) -> Soak:
    gc.enable()  # nothing's latency is measured here, and this client lives long
    only_loopback()
    frames = clip.encoded("H264").frames
    async with session(CONNECT_TIMEOUT) as http:
        idle = await vitals(plan.server_pid, plan.origin, http)
        peers = [ClientPeer(url, Plan(plan.urls, plan.server_pid), frames, place) for place, url in enumerate(plan.urls)]
        guest = _Guest(plan, frames)
        try:
            for peer in peers:
                await peer.connect(http)
            visiting = asyncio.create_task(guest.come_and_go(http))
            try:
                return Soak(idle, await _watched(plan, peers, guest, visiting, http))
            finally:
                visiting.cancel()
                await asyncio.gather(visiting, return_exceptions=True)
        finally:
            await asyncio.gather(*(peer.close(http) for peer in peers), return_exceptions=True)


async def _watched(
    plan: SoakPlan, peers: list[ClientPeer], guest: _Guest, visiting: asyncio.Task[None], http: aiohttp.ClientSession
) -> list[Sample]:
    began = last = time.monotonic()
    samples: list[Sample] = []
    for peer in peers:
        peer.recording.packets.clear()
    while last - began < plan.seconds:
        await asyncio.wait([visiting], timeout=began + (len(samples) + 1) * plan.interval - time.monotonic())
        if visiting.done():
            visiting.result()
        now = await vitals(plan.server_pid, plan.origin, http)
        # A packet with its marker set ends a frame. Kept is none of them: this goes on for long.
        came = sum(data[1] >> 7 for peer in peers for _, data in peer.recording.packets)
        for peer in peers:
            peer.recording.packets.clear()
        samples.append(Sample(now.at - began, now, came / (now.at - last) / len(peers), guest.visits))
        if (now.at - began) // REPORT_INTERVAL > (last - began) // REPORT_INTERVAL:
            say(
                f"  after {now.at - began:.0f} s: RSS {now.rss_mb:.0f} MB, {now.threads} threads, {now.descriptors} descriptors, "
                f"{now.tasks} tasks, {guest.visits} visits"
            )
        last = now.at
    return samples


class _Guest:
    def __init__(self, plan: SoakPlan, frames: list[bytes]) -> None:
        self.visits = 0
        self._plan = plan
        self._frames = frames

    async def come_and_go(self, http: aiohttp.ClientSession) -> None:
        """Until cancelled."""
        while True:
            peer = ClientPeer(self._plan.guest_url, Plan([self._plan.guest_url], self._plan.server_pid), self._frames, 0)
            try:
                await peer.connect(http)
                self.visits += 1
                await asyncio.sleep(GUEST_SECONDS)
            finally:
                await peer.close(http)
            await asyncio.sleep(GUEST_SECONDS)
