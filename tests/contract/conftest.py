from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aioice.ice
import pytest

from stream.limits import Limits
from tests.contract.house import House
from tests.contract.obs import Obs
from transforms.models.store import Store

OpenHouse = Callable[..., Awaitable[House]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "must(section, text): the section of a standard that a test shows to be kept")


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves loopback out of what it offers; here nothing else is wanted."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest.fixture
async def open_house(store: Store, loopback: None) -> AsyncIterator[OpenHouse]:
    """Makes servers with these fields of House and of Limits."""
    async with AsyncExitStack() as stack:

        async def make(limits: dict[str, Any] | None = None, **fields: Any) -> House:
            house = House(store, Limits(**limits or {}), **fields)
            await house.open()
            stack.push_async_callback(house.close)
            return house

        yield make


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    return await open_house()


@pytest.fixture
async def obs() -> AsyncIterator[Obs]:
    client = Obs()
    yield client
    await client.close()
