from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import aiohttp.web as aiohttp_web
import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from signaling.rate import RateLimit
from stream.system import SystemReport
from tests.keys import authority
from tests.web.fakes import FakeReady, FakeSessions, FakeStreams, Tint
from transforms.errors import BrokenTransform, UnknownTransform
from transforms.packages.shelf import ShelfEntry
from transforms.registry import AnyTransform
from transforms.window import Quantiles
from web.app import make_app

Client = TestClient[aiohttp_web.Request, aiohttp_web.Application]
Open = Callable[..., Awaitable[Client]]


@dataclass
class House:
    sessions: FakeSessions = field(default_factory=FakeSessions)
    streams: FakeStreams = field(default_factory=FakeStreams)
    ready: FakeReady = field(default_factory=FakeReady)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    shelf: list[ShelfEntry] = field(default_factory=list)
    system: SystemReport = field(default_factory=lambda: SystemReport(1.0, 0, 16, 0, 0, Quantiles(), (), ()))

    def app(self, key: str | None = None, origins: Sequence[str] = (), **options: Any) -> aiohttp_web.Application:
        # Whoever has called often enough is not let in again while a test lasts, however long that is.
        options.setdefault("make_rate_limit", lambda: RateLimit(clock=lambda: 0.0))
        return make_app(
            sessions=self.sessions,
            streams=self.streams,
            sources=mock.Mock(),
            models=lambda: self.shelf,
            ready=self.ready,
            metrics=self.metrics,
            system=lambda: self.system,
            authority=authority(key),
            origins=origins,
            **options,
        )


def load(key: str) -> type[AnyTransform]:
    if key == "tint":
        return Tint
    if key == "torn":
        raise BrokenTransform("transform 'torn' cannot be imported")
    raise UnknownTransform(f"there is no transform {key!r}; there are: tint, torn")


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of one transform that works and one that does not, whatever the real one holds."""
    monkeypatch.setattr("transforms.registry.load", load)
    monkeypatch.setattr("web.catalogue.load", load)
    monkeypatch.setattr("web.catalogue.keys", lambda: ["tint", "torn"])


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def open_client(house: House) -> AsyncIterator[Open]:
    """Makes clients of an application with this key and these origins."""
    async with AsyncExitStack() as stack:

        async def make(key: str | None = None, origins: Sequence[str] = ()) -> Client:
            return await stack.enter_async_context(TestClient(TestServer(house.app(key, origins))))

        yield make


@pytest.fixture
async def client(open_client: Open) -> Client:
    return await open_client()
