"""Servers to push to: ours, which keeps what it gets, and some that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from stream.rtmp.amf0 import Value
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.errors import Refused
from stream.rtmp.limits import RtmpLimits
from stream.rtmp.server import RtmpServer

PATIENCE = 20.0
"""s that anything may take on a busy machine."""


class Receiver:
    """What came of one publisher."""

    def __init__(self, request: PublishRequest, connection: Connection) -> None:
        self.request = request
        self.connection = connection
        self.got: list[tuple[str, int, bytes]] = []
        """"video" or "audio", ms, the tag's body."""
        self.properties: list[dict[str, Value]] = []
        self.reason = ""

    def video(self, payload: bytearray, time: int) -> None:
        self.got.append(("video", time, bytes(payload)))

    def audio(self, payload: bytearray, time: int) -> None:
        self.got.append(("audio", time, bytes(payload)))

    def metadata(self, properties: dict[str, Value]) -> None:
        self.properties.append(properties)

    def closed(self, reason: str) -> None:
        self.reason = reason

    def stop_reading(self) -> None:
        """As a server that hangs."""
        self.connection._transport.pause_reading()


class Server:
    """Lets everybody in, unless told a refusal."""

    def __init__(self) -> None:
        self.receivers: list[Receiver] = []
        self.refusal = ""
        self.port = 0
        self._server = RtmpServer(self._publish, RtmpLimits(linger=0.2))

    async def _publish(self, request: PublishRequest, connection: Connection) -> Receiver:
        if self.refusal:
            raise Refused(self.refusal)
        self.receivers.append(Receiver(request, connection))
        return self.receivers[-1]

    @classmethod
    @contextlib.asynccontextmanager
    async def listening(cls, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        server = cls()
        server.port = await server._server.listen("127.0.0.1", 0, context)
        try:
            yield server
        finally:
            await server._server.close()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def speaking(talk: Talk) -> AsyncIterator[int]:
    """A server of TCP that says what it is told to; its port. What it has open at the end is closed."""
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await talk(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        for writer in writers:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)
