"""Servers that a source may be on, kind and unkind, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp.web as aiohttp_web

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def tcp(peer: Peer) -> AsyncIterator[int]:
    """The port of a server that does with each connection what ``peer`` does."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    connections: asyncio.Server = server
    try:
        yield connections.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def http(app: aiohttp_web.Application) -> AsyncIterator[int]:
    """The port of a web server."""
    runner = aiohttp_web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = aiohttp_web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def folder(path: Path) -> aiohttp_web.Application:
    """Serves files, with ranges."""
    app = aiohttp_web.Application()
    app.router.add_static("/", path)
    return app
