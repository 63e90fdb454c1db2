from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp.test_utils
import pytest

from doppel.client import connection, session
from tests.doppel.client.server import StandIn
from tests.loopback import only_loopback


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """On loopback, and with pauses of which a test may have several."""
    only_loopback(monkeypatch)
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(session, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(connection, "CHECK_INTERVAL", 0.1)


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    server = StandIn()
    yield server
    await server.close()


@pytest.fixture
async def address(stand_in: StandIn) -> AsyncIterator[str]:
    async with aiohttp.test_utils.TestServer(stand_in.app()) as running:
        yield str(running.make_url("/")).rstrip("/")
