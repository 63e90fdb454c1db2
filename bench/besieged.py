"""A stream, and hostile clients beside it, in a process of their own."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass

import aiohttp

from bench import clip
from bench.apart import measured
from bench.client import CONNECT_TIMEOUT, COOLDOWN, START_TIMEOUT, ClientPeer, Plan, Recording, only_loopback
from bench.hostile import AT_ONCE, GIVE_UP, Refusal, attack, attacks
from bench.process import usage

WARMUP = 3.0
"""s of the stream alone."""
ROUND_REST = 0.5
"""s after each round."""
REST = 2.0
"""s after each turn, for what ends in the background."""


@dataclass(frozen=True, slots=True)
class SiegePlan:
    url: str
    """Of the stream."""
    server_pid: int
    http_port: int
    rtmp_port: int
    rounds: int
    """Beforehand, of the attacks that are refused at once."""
    turns: int
    """Of all attacks."""

    @property
    def deadline(self) -> float:
        """s after which the process is ended whatever it does."""
        return (
            CONNECT_TIMEOUT
            + WARMUP
            + self.rounds * (AT_ONCE + ROUND_REST)
            + self.turns * (GIVE_UP + REST)
            + COOLDOWN
            + START_TIMEOUT
        )


@dataclass(frozen=True, slots=True)
class Siege:
    recording: Recording
    """Of the stream, from the first turn to the end."""
    refusals: list[Refusal]
    """Of all turns."""
    rss_mb: list[float]
    """The server's memory before the first turn, and after each."""


def besiege(plan: SiegePlan) -> Siege:
    """All attacks at once, again and again. Raises ClientFailed, and leaves no process behind."""
    return measured(_besiege, plan, plan.deadline)


async def _besiege(plan: SiegePlan) -> Siege:
    gc.enable()
    only_loopback()
    ports = {"HTTP": plan.http_port, "RTMP": plan.rtmp_port}
    own_plan = Plan([plan.url], plan.server_pid)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CONNECT_TIMEOUT)) as http:
        peer = ClientPeer(plan.url, own_plan, clip.encoded("H264").frames, 0)
        try:
            await peer.connect(http)
            await asyncio.sleep(WARMUP)
            quick = [one for one in attacks() if one.deadline <= AT_ONCE]
            for _ in range(plan.rounds):
                await asyncio.gather(*(attack(one, ports) for one in quick))
                await asyncio.sleep(ROUND_REST)
            own = time.process_time()
            samples = [usage(plan.server_pid)]
            refusals: list[Refusal] = []
            for _ in range(plan.turns):
                refusals += await asyncio.gather(*(attack(one, ports) for one in attacks()))
                await asyncio.sleep(REST)
                samples.append(usage(plan.server_pid))
            own = (time.process_time() - own) * 1e9 / (samples[-1].at - samples[0].at)
            await asyncio.sleep(COOLDOWN)
            recording = Recording("H264", samples[0].at, samples[-1].at, [peer.recording], samples, own)
            return Siege(recording, refusals, [sample.rss_mb for sample in samples])
        finally:
            await peer.close(http)
