"""RTMP and RTMPS on any number of ports, with any number of streams on each."""

from __future__ import annotations

import asyncio
import logging
import ssl

from stream.rtmp.connection import Connection, OnPublish
from stream.rtmp.limits import RtmpLimits
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)


class RtmpServer:
    """Who may publish, and where it goes, is ``on_publish``'s to say; everything else is here."""

    def __init__(self, on_publish: OnPublish, limits: RtmpLimits | None = None) -> None:
        self._on_publish = on_publish
        self._limits = limits or RtmpLimits()
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._pending: dict[Connection, None] = {}
        """Those that don't publish, the oldest first."""
        self._complaint = Complaint(logger)
        self._closing = False

    @property
    def connections(self) -> int:
        """Sockets that are open, whoever they are."""
        return len(self._connections)

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None = None) -> int:
        """Takes connections on a port, over TLS where there is a context; returns the port, for 0 was any. Raises OSError."""
        server = await asyncio.get_running_loop().create_server(
            self._connection,
            host,
            port,
            ssl=context,
            ssl_handshake_timeout=self._limits.handshake_timeout if context else None,
            ssl_shutdown_timeout=self._limits.linger if context else None,
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self, reason: str = "the server is shutting down") -> None:
        """Takes no more, and ends all: at most ``limits.linger`` and a moment."""
        self._closing = True
        for server in self._servers:
            server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.end(reason)
        for connection in connections:
            await connection.wait_closed()

    def _connection(self) -> Connection:
        return Connection(
            self._on_publish,
            self._limits,
            on_open=self._opened,
            on_publishing=self._publishing,
            on_end=self._ended,
            on_lost=self._connections.discard,
        )

    def _opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._pending[connection] = None
        if self._closing:
            connection.abort("the server is shutting down")
        elif len(self._pending) > self._limits.max_pending:
            next(iter(self._pending)).abort(f"it is the oldest of {len(self._pending)} connections that publish nothing")

    def _publishing(self, connection: Connection) -> None:
        self._pending.pop(connection, None)
        logger.info("%s publishes %s by RTMP", connection.address, connection.request)

    def _ended(self, connection: Connection, reason: str) -> None:
        if connection in self._pending:
            del self._pending[connection]
            self._complaint("RTMP from %s published nothing: %s", connection.address, reason)
        else:
            logger.info("%s no longer publishes %s by RTMP: %s", connection.address, connection.request, reason)
