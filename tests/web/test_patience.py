from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

import aiohttp
import aiohttp.web as aiohttp_web
import pytest

from tests.web.conftest import House
from web.app import PATIENCE, make_runner
from web.patience import HANDSHAKES, HEAD, Patience


class Timers:
    """Fires when the test says so."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], None]]] = []
        self.cancelled = 0

    def __call__(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self.set.append((delay, callback))
        timers = self

        class Timer:
            def cancel(self) -> None:
                timers.cancelled += 1

        return cast(asyncio.TimerHandle, Timer())


@pytest.fixture
def timers() -> Timers:
    return Timers()


async def serve(timers: Timers) -> tuple[aiohttp_web.AppRunner, Patience, int]:
    app = House().app()
    patience = app[PATIENCE]
    patience._call_later = timers
    runner = make_runner(app)
    await runner.setup()
    await aiohttp_web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, patience, int(runner.addresses[0][1])


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: "])
async def test_who_does_not_come_to_the_end_of_a_head_is_hung_up_on(timers: Timers, sent: bytes) -> None:
    runner, patience, port = await serve(timers)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await writer.drain()
    async with asyncio.timeout(5):
        while not timers.set:  # noqa: ASYNC110 - nobody tells of a connection
            await asyncio.sleep(0)
    ((delay, fire),) = timers.set
    assert delay == HEAD
    fire()
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    assert patience._silent == {}
    await runner.cleanup()


async def test_who_has_sent_a_request_is_left_alone(timers: Timers) -> None:
    runner, patience, port = await serve(timers)
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
                assert response.status == 200
    assert (len(timers.set), timers.cancelled) == (1, 1)
    assert patience._silent == {}
    await runner.cleanup()


async def test_who_has_gone_meanwhile_is_forgotten(timers: Timers) -> None:
    patience = Patience(timers)
    gone: Any = type("Gone", (asyncio.Protocol,), {"transport": None})()
    patience.connected(gone)
    timers.set[0][1]()
    assert patience._silent == {}


async def test_tls_may_take_longer_and_not_for_ever(timers: Timers) -> None:
    patience = Patience(timers)
    patience.encrypted = True
    slow: Any = type("Slow", (asyncio.Protocol,), {"transport": None})()
    patience.connected(slow)
    for number in range(HANDSHAKES):
        assert len(timers.set) == number + 1
        assert slow in patience._silent
        timers.set[number][1]()
    assert len(timers.set) == HANDSHAKES
    assert patience._silent == {}
