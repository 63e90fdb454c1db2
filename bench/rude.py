"""Peers that connect, get a picture back, and are gone from one packet to the next, without a word to the server."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from dataclasses import dataclass

import aiohttp

from bench import clip
from bench.apart import ClientFailed, measured
from bench.client import CLOSE_TIMEOUT, CONNECT_TIMEOUT, START_TIMEOUT, ClientPeer, Plan, only_loopback
from bench.progress import say
from bench.vitals import Vitals, session, vitals

AT_ONCE = 8
"""Peers that the server may have at once: half of what it takes by default."""
PATIENCE = 20.0
"""s for the server to notice that they are gone: its silence_timeout, and a busy machine."""
POLL_INTERVAL = 0.1
"""s between two questions whether it has."""
REST = 1.0
"""s after that, for what ends in the background."""
CYCLE = 4.0
"""s that one takes, at most, on average: a bound on the whole."""


@dataclass(frozen=True, slots=True)
class RudePlan:
    origin: str
    """The server's http://host:port."""
    server_pid: int
    disappearances: int
    batch: int
    """Disappearances between two looks at the server's vitals, at rest."""

    @property
    def deadline(self) -> float:
        """s after which the process is ended whatever it does."""
        return START_TIMEOUT + self.disappearances * CYCLE + PATIENCE + CLOSE_TIMEOUT


def disappear(plan: RudePlan) -> list[Vitals]:
    """The server's vitals after each batch. Raises ClientFailed, and leaves no process behind."""
    return measured(_disappear, plan, plan.deadline)


async def _disappear(plan: RudePlan) -> list[Vitals]:
    gc.enable()  # nothing's latency is measured here, and there are many peers
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each socket that is gone, as it is meant to be
    only_loopback()
    frames = clip.encoded("H264").frames
    places = asyncio.Semaphore(AT_ONCE)
    found: list[Vitals] = []
    async with session(CONNECT_TIMEOUT) as http:

        async def one(number: int) -> None:
            async with places:
                name = f"rude-{number}"
                url = f"{plan.origin}/loop/{name}"
                peer = ClientPeer(url, Plan([url], plan.server_pid), frames, 0)
                try:
                    await peer.connect(http)
                finally:
                    await peer.vanish()
                await _until_gone(plan, name, http)

        # What is made once, and only when many want it at once: the threads of the server's pools.
        await asyncio.gather(*(vitals(plan.server_pid, plan.origin, http) for _ in range(4 * AT_ONCE)))
        for done in range(0, plan.disappearances, plan.batch):
            await asyncio.gather(*(one(number) for number in range(done, min(done + plan.batch, plan.disappearances))))
            await asyncio.sleep(REST)
            found.append(now := await vitals(plan.server_pid, plan.origin, http))
            say(
                f"  {min(done + plan.batch, plan.disappearances)} of {plan.disappearances} disappeared: RSS {now.rss_mb:.0f} MB, "
                f"{now.threads} threads, {now.descriptors} descriptors, {now.tasks} tasks"
            )
    return found


async def _until_gone(plan: RudePlan, name: str, http: aiohttp.ClientSession) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        async with http.get(f"{plan.origin}/api/streams/{name}") as response:
            if response.status == 404:
                return
        await asyncio.sleep(POLL_INTERVAL)
    raise ClientFailed(f"{PATIENCE:.0f} s after its peer had disappeared the server still had the stream {name}")
