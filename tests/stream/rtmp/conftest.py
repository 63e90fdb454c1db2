from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from stream.ingest.rtmp import RtmpIngest
from stream.picture import EncodedPicture
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.errors import Refused
from stream.rtmp.limits import RtmpLimits
from stream.rtmp.server import RtmpServer
from stream.sound.packet import SoundPacket
from tests.stream.rtmp.publisher import PATIENCE, Publisher


class Publication:
    """What came of one publisher."""

    def __init__(self, request: PublishRequest, connection: Connection) -> None:
        self.request = request
        self.pictures: list[EncodedPicture] = []
        self.sound: list[SoundPacket] = []
        self.reason = ""
        self.over = asyncio.Event()
        self.ingest = RtmpIngest(connection, on_video=self.pictures.append, on_audio=self.sound.append, on_closed=self._closed)

    def _closed(self, reason: str) -> None:
        assert not self.over.is_set()
        self.reason = reason
        self.over.set()

    async def ended(self) -> str:
        """Waits for its end; returns why."""
        await asyncio.wait_for(self.over.wait(), PATIENCE)
        return self.reason


class House:
    """A server with the simplest rules: "wrong" is refused, and whoever publishes under a name replaces who did."""

    def __init__(self, limits: RtmpLimits) -> None:
        self.server = RtmpServer(self._publish, limits)
        self.port = 0
        self.publications: list[Publication] = []
        self.check: Callable[[PublishRequest], Awaitable[None]] | None = None
        self.publishers: list[Publisher] = []

    async def listen(self, context: ssl.SSLContext | None = None) -> int:
        self.port = await self.server.listen("127.0.0.1", 0, context)
        return self.port

    async def publisher(self, context: ssl.SSLContext | None = None) -> Publisher:
        publisher = await Publisher.open(self.port, context)
        self.publishers.append(publisher)
        return publisher

    async def pictures(self, count: int) -> list[EncodedPicture]:
        """Waits until the last publication has as many."""
        async with asyncio.timeout(PATIENCE):
            while not self.publications or len(self.publications[-1].pictures) < count:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        return self.publications[-1].pictures

    async def empty(self) -> None:
        """Waits until no connection is left."""
        async with asyncio.timeout(PATIENCE):
            while self.server.connections:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)

    async def _publish(self, request: PublishRequest, connection: Connection) -> RtmpIngest:
        if self.check is not None:
            await self.check(request)
        if request.query == "token=wrong":
            raise Refused("the token is wrong; ask for a new one")
        for publication in self.publications:
            if publication.request.name == request.name and not publication.over.is_set():
                await publication.ingest.close("another publisher took over")
        self.publications.append(Publication(request, connection))
        return self.publications[-1].ingest


Serve = Callable[..., Awaitable[House]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Makes servers; at the end none has a connection left."""
    houses: list[House] = []

    async def make(context: ssl.SSLContext | None = None, **limits: float) -> House:
        house = House(RtmpLimits(**limits))  # type: ignore[arg-type]
        houses.append(house)
        await house.listen(context)
        return house

    yield make
    for house in houses:
        for publisher in house.publishers:
            with contextlib.suppress(ConnectionError):
                await publisher.close()
        await house.server.close()
        assert house.server.connections == 0
