"""How long a client may take with the head of its first request: aiohttp bounds what comes after that, but not this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import aiohttp.web as aiohttp_web
from aiohttp.typedefs import Handler

HANDSHAKES = 6
"""Times HEAD that TLS may take with its handshake: asyncio gives it up after 60 s."""

HEAD = 10.0
"""s from the connection to a whole head: a kilobyte, which any line carries in one."""

CallLater = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class Patience:
    """Hangs up on connections whose first request does not begin."""

    def __init__(self, call_later: CallLater | None = None) -> None:
        """``call_later`` is the running loop's, unless given."""
        self.encrypted = False
        """Whether connections begin with TLS."""
        self._call_later = call_later
        self._silent: dict[asyncio.Protocol, asyncio.TimerHandle] = {}
        """Connections that have sent no whole head; each is here for HEAD at most, after TLS is there."""

    def connected(self, protocol: asyncio.Protocol) -> None:
        """A connection is about to be made."""
        self._wait(protocol, HANDSHAKES if self.encrypted else 1)

    @property
    def middleware(self) -> Any:
        """Notes who has sent a request: it is only there once its head is."""

        @aiohttp_web.middleware
        async def heard(request: aiohttp_web.Request, handler: Handler) -> aiohttp_web.StreamResponse:
            timer = self._silent.pop(request.protocol, None)
            if timer is not None:
                timer.cancel()
            return await handler(request)

        return heard

    def _wait(self, protocol: asyncio.Protocol, times: int) -> None:
        call_later = self._call_later or asyncio.get_running_loop().call_later
        self._silent[protocol] = call_later(HEAD, lambda: self._hang_up(protocol, times))

    def _hang_up(self, protocol: asyncio.Protocol, times: int) -> None:
        del self._silent[protocol]
        transport = cast(Any, protocol).transport
        if transport is not None:
            transport.abort()
        elif times > 1:
            # TLS is not there yet, or it is never to be.
            self._wait(protocol, times - 1)


class PatientRunner(aiohttp_web.AppRunner):
    """An AppRunner whose connections ``patience`` looks after."""

    def __init__(self, app: aiohttp_web.Application, patience: Patience, **options: Any) -> None:
        super().__init__(app, **options)
        self._patience = patience

    @property
    def server(self) -> Any:
        """What sites make connections with."""
        server = super().server
        if server is None:
            return None

        def connect() -> asyncio.Protocol:
            protocol = server()
            self._patience.connected(protocol)
            return protocol

        return connect
