"""One UDP port for all peers.

Who a datagram is for is told by the address it comes from; where that is not known, by the ICE username fragment in a
connectivity check (RFC 8445 section 7.2.2), and answers to our own checks by their transaction. All else is dropped and
counted, before anything is kept of it.

An address belongs to a peer once a check from there has authenticated. One that belongs to another peer already changes
hands only for an answer to a check of ours, which whoever forges a sender's address never gets to see: a client that knows
where another one sends from cannot take its place.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

from stream.limits import KNOWN_ADDRESSES
from stream.rtc.ports import Address, End, bind, connect

logger = logging.getLogger(__name__)

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes that may wait in the socket: 50 ms of some hundred publishers. The kernel grants up to net.core.rmem_max."""

LARGEST_CHECK = 1024
"""Bytes of a connectivity check: browsers send some 100, with both username fragments at their longest under 700."""

ATTRIBUTES = 16
"""Of a connectivity check that are looked through for its USERNAME, which browsers send first: anybody may fill a datagram with
250 empty ones, and have the loop spend 0.3 ms on it.
"""

MAGIC_COOKIE = b"\x21\x12\xa4\x42"
BINDING_REQUEST = b"\x00\x01"
USERNAME = 0x0006
"""RFC 8489 sections 5 and 18.3."""

REASONS = ("malformed", "unknown_address", "unknown_peer", "unasked")
"""Why datagrams are dropped: STUN as nobody sends it; of no peer, by its address or by its username fragment; an answer to
nothing.
"""

Dropped = Callable[[str], None]
"""Told why a datagram is dropped."""


class UdpMux:
    """Gives peers their ends at one port, with one socket for each local address. Lives on the event loop."""

    def __init__(self, port: int, on_dropped: Dropped = lambda _: None) -> None:
        """``port``: 0 takes a free one, for each address another."""
        self._port = port
        self._on_dropped = on_dropped
        self._sockets: dict[str, _Socket] = {}
        self._binding = asyncio.Lock()

    async def start(self, addresses: Sequence[str], *, all_of_them: bool) -> None:
        """Binds all of these addresses, or those that can be. Raises OSError where one, or every one, cannot be bound."""
        for address in addresses:
            try:
                await self._socket(address)
            except OSError as error:
                if all_of_them or (address == addresses[-1] and not self._sockets):
                    raise OSError(
                        error.errno,
                        f"UDP port {self._port} of {address} cannot be had: {error.strerror}; choose another udp_port",
                    ) from error
                logger.warning("no peers on %s, port %d: %s", address, self._port, error.strerror)

    async def open(self, address: str, end: End) -> None:
        """An address that was not there at the start is bound now. Raises OSError."""
        end.connection_made(Seat(await self._socket(address), end))

    def close(self) -> None:
        """Closes the sockets; peers that are left hear nothing any more."""
        for each in self._sockets.values():
            each.transport.close()
        self._sockets.clear()

    async def _socket(self, address: str) -> _Socket:
        async with self._binding:
            made = self._sockets.get(address)
            if made is None:
                made = _Socket(self._on_dropped)
                bound = bind(address, self._port, RECEIVE_BUFFER)
                # The kernel tells twice what it grants, as it counts its own bookkeeping too.
                granted = bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
                await connect(bound, made)
                self._sockets[address] = made
                note = f"; it may hold {granted} bytes, raise net.core.rmem_max to {RECEIVE_BUFFER}"
                logger.info("peers come to %s, UDP port %d%s", address, made.port, note if granted < RECEIVE_BUFFER else "")
            return made


class _Socket(asyncio.DatagramProtocol):
    """One bound socket, and who is at it."""

    def __init__(self, on_dropped: Dropped) -> None:
        self.transport: asyncio.DatagramTransport
        self.ends: dict[bytes, End] = {}
        """By username fragment."""
        self.seats: dict[Address, Seat] = {}
        """By the remote address that is theirs: KNOWN_ADDRESSES for each peer at most."""
        self.transactions: dict[bytes, End] = {}
        """Of checks under way, by their identifier: some for each candidate of each peer that is just connecting."""
        self._drop = on_dropped

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        # RFC 7983: 0-3 is STUN.
        if data and data[0] > 3:
            seat = self.seats.get(addr if len(addr) == 2 else addr[:2])
            if seat is not None:
                seat.media_received(data)
            else:
                self._drop("unknown_address")
            return
        self._stun(data, addr)

    def error_received(self, exc: Exception) -> None:
        # An ICMP message about one peer, which is found out by its silence.
        logger.debug("UDP: %s", exc)

    def _stun(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if not 20 <= len(data) <= LARGEST_CHECK or data[4:8] != MAGIC_COOKIE:
            self._drop("malformed")
            return
        if data[:2] == BINDING_REQUEST:
            ufrag = local_ufrag(data)
            end = self.ends.get(ufrag) if ufrag is not None else None
            reason = "malformed" if ufrag is None else "unknown_peer"
        else:
            end = self.transactions.get(data[8:20])
            reason = "unasked"
        if end is None:
            self._drop(reason)
        else:
            end.datagram_received(data, addr)


class Seat(asyncio.DatagramTransport):
    """One peer's end of a shared socket, as a transport of its own."""

    def __init__(self, shared: _Socket, end: End) -> None:
        super().__init__()
        self._shared = shared
        self._end = end
        self._key = end.ufrag.encode()
        self._addresses: dict[Address, None] = {}
        """Remote ones that are ours, the one that was proven longest ago first."""
        self._closing = False
        shared.ends[self._key] = end
        # No call more for each datagram.
        self.sendto = shared.transport.sendto  # type: ignore[method-assign]
        self.media_received = end.media_received

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._shared.transport.get_extra_info(name, default)

    def expect(self, transaction: bytes) -> None:
        """An answer with this identifier is for this peer, until it is forgotten."""
        self._shared.transactions[transaction] = self._end

    def forget(self, transaction: bytes) -> None:
        self._shared.transactions.pop(transaction, None)

    def claim(self, address: Address, *, answered: bool = False) -> None:
        """This peer sends from there, by a check that authenticated: one of its own, or its answer to one of ours."""
        if self._closing:
            return
        owner = self._shared.seats.get(address)
        if owner is not None and owner is not self:
            if not answered:
                return
            owner._addresses.pop(address, None)
        self._addresses.pop(address, None)
        self._addresses[address] = None
        self._shared.seats[address] = self
        if len(self._addresses) > KNOWN_ADDRESSES:
            self._give_up(next(iter(self._addresses)))

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Leaves the socket, which stays open for the others."""
        if self._closing:
            return
        self._closing = True
        self.sendto = lambda data, addr=None: None  # type: ignore[method-assign]
        self._shared.ends.pop(self._key, None)
        for address in list(self._addresses):
            self._give_up(address)
        asyncio.get_running_loop().call_soon(self._end.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def _give_up(self, address: Address) -> None:
        del self._addresses[address]
        self._shared.seats.pop(address, None)


def local_ufrag(check: bytes) -> bytes | None:
    """Of whoever a connectivity check is for: what stands before the colon in its USERNAME (RFC 8445 section 7.2.2).

    None where there is none.
    """
    end = 20 + int.from_bytes(check[2:4])
    if end != len(check):
        return None
    position = 20
    for _ in range(ATTRIBUTES):
        if position + 4 > end:
            break
        size = int.from_bytes(check[position + 2 : position + 4])
        if int.from_bytes(check[position : position + 2]) == USERNAME:
            ufrag, colon, _ = check[position + 4 : min(position + 4 + size, end)].partition(b":")
            return ufrag if colon else None
        position += 4 + size + (-size & 3)
    return None
