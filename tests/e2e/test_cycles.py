"""Fifty peers come and go, a third of them rudely: nothing of them stays."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest

from tests.e2e.server import Server
from tests.loopback import LoopClient, only_loopback

CYCLES = 50
WARMUP = 8
"""More than any pool has threads, fewer than streams are allowed."""

CALM = 12
"""Looks in a row that must find the same, 0.25 s apart."""

SETTLE = 25.0
"""s for the last rude one to be given up: silence, close, and a busy machine."""


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    only_loopback(monkeypatch)


async def _calm(session: aiohttp.ClientSession, server: Server) -> tuple[int, int, int]:
    """The counts, when no stream is left and they have been the same for a while."""
    last, same = (0, 0, 0), 0
    async with asyncio.timeout(2 * SETTLE):
        while same < CALM:
            await asyncio.sleep(0.25)
            async with session.get(f"{server.url}/api/streams") as response:
                streams = await response.json()
            now = server.threads(), server.descriptors(), await asyncio.to_thread(server.tasks)
            last, same = now, same + 1 if now == last and not streams else 0
    return last


async def _settled(server: Server, threads: int, descriptors: int, tasks: int) -> tuple[int, int, int]:
    """The counts, when they are back or the time is over."""
    for _ in range(int(SETTLE / 0.25)):
        await asyncio.sleep(0.25)
        now = server.threads(), server.descriptors(), await asyncio.to_thread(server.tasks)
        if now[0] <= threads and now[1] <= descriptors and now[2] <= tasks:
            break
    return now


async def _cycle(session: aiohttp.ClientSession, server: Server, number: int, rng: random.Random) -> None:
    async with LoopClient(session, server.url, f"cycle-{number}") as client:
        if number % 3 == 1:
            await client.connect("anonymize" if number % 2 else "")
            await client.frames(rng.randint(1, 6))
            await client.vanish()
        elif number % 9 == 2:
            await client.offer_only()
        else:
            await client.connect("")
            await client.frames(rng.randint(1, 6))
            if number % 2:
                await client.delete()


async def test_nothing_of_fifty_peers_stays(server: Server) -> None:
    rng = random.Random(7)
    async with aiohttp.ClientSession() as session:
        # Many at once make what is made once: every thread of the pools, caches.
        await asyncio.gather(*(_cycle(session, server, number, rng) for number in range(WARMUP)))
        await asyncio.gather(*(asyncio.to_thread(server.tasks) for _ in range(WARMUP)))
        before = await _calm(session, server)
        for number in range(CYCLES):
            await _cycle(session, server, number, rng)
        after = await _settled(server, *before)
        async with session.get(f"{server.url}/api/streams") as response:
            assert await response.json() == []
    assert all(now <= was for now, was in zip(after, before, strict=True)), (before, after)


async def test_it_ends_in_time_with_a_stream_running(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(tmp_path_factory.mktemp("ending") / "log")
    async with aiohttp.ClientSession() as session, LoopClient(session, server.url, "last") as client:
        await client.connect("anonymize")
        await client.frames(3)
        assert await asyncio.to_thread(server.stop) == 0
        await client.ended()
    assert "abandoned" not in server.log
    assert "did not end" not in server.log
