"""Where peers' UDP sockets come from: a socket for each peer on a free port, or on one of a range.

One socket for all peers is in ``stream.rtc.udp_mux``.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

Address = tuple[str, int]
"""IP address and port."""

RECEIVE_BUFFER = 262_144
"""Bytes that may wait in a peer's socket: a keyframe and half a second of 4 Mb/s, while the loop is busy."""

FOREIGN = 64
"""Ports of a range that may be found taken by other programs before one peer is refused."""


class NoPort(Exception):
    """Every port that peers may use is taken; the message says what to do."""


class End(Protocol):
    """One peer's end of a socket: an asyncio.DatagramProtocol, and what a shared socket knows it by."""

    ufrag: str
    """ICE username fragment of our side, unique."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Anything, from anybody."""

    def error_received(self, exc: Exception) -> None: ...

    def media_received(self, data: bytes) -> None:
        """No STUN, and from an address that passed a connectivity check. Only a shared socket tells these apart."""


class Ports(Protocol):
    """Gives a peer its end at a local address."""

    async def open(self, address: str, end: End) -> None:
        """Connects ``end`` to a socket bound to that address. Raises OSError where it cannot be bound, and NoPort."""


class FreePorts:
    """A socket for each peer, on whatever port is free."""

    async def open(self, address: str, end: End) -> None:
        await connect(bind(address, 0, RECEIVE_BUFFER), end)


class PortRange:
    """A socket for each peer, on a port from ``first`` to ``last``, which is free again when the peer has gone."""

    def __init__(self, first: int, last: int) -> None:
        self._ports = range(first, last + 1)
        self._free: dict[str, deque[int]] = {}
        """By local address; the one that has been free for longest is taken first."""

    async def open(self, address: str, end: End) -> None:
        free = self._free.setdefault(address, deque(self._ports))
        for _ in range(min(FOREIGN, len(free))):
            port = free.popleft()
            try:
                bound = bind(address, port, RECEIVE_BUFFER)
            except OSError as error:
                free.append(port)
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            await connect(bound, _Lent(end, partial(free.append, port)))
            return
        raise NoPort(
            f"all UDP ports from {self._ports[0]} to {self._ports[-1]} are taken; try again later, or have the range widened "
            "(udp_ports), or all peers put on one port (udp_port)"
        )


class _Lent(asyncio.DatagramProtocol):
    """An end whose port goes back when its socket is closed."""

    def __init__(self, end: End, give_back: Callable[[], None]) -> None:
        self._end = end
        self._give_back = give_back
        # No call more for each datagram.
        self.datagram_received = end.datagram_received  # type: ignore[method-assign]
        self.error_received = end.error_received  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._end.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_back()
        self._end.connection_lost(exc)


def bind(address: str, port: int, receive_buffer: int) -> socket.socket:
    """A UDP socket, ``receive_buffer`` bytes large or what the system grants. Raises OSError."""
    version = ipaddress.ip_address(address.partition("%")[0]).version
    bound = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if version == 6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
    except BaseException:
        bound.close()
        raise
    return bound


async def connect(bound: socket.socket, end: Any) -> asyncio.DatagramTransport:
    """Has the loop read a socket, which is the transport's from here on."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: end, sock=bound)
    return transport
