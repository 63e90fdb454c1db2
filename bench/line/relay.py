"""A line with sockets: between a client and a server of one UDP flow on loopback, such as a peer connection's.

Put between two peers by SDP: the offer that the server gets names the relay instead of the client, and the answer that the
client gets names the relay instead of the server, so neither knows of the other's address (aiortc, Chromium and others alike).

    relay = await Relay.open(up=Script(...), down=Script(...))
    answer = await post(relay.offer(offer))
    await peer.setRemoteDescription(relay.answer(answer))
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import socket
import time
from collections.abc import Callable
from types import TracebackType

from bench.line import candidates
from bench.line.candidates import Address
from bench.line.line import Line
from bench.line.script import Script

LOOPBACK = "127.0.0.1"
BUFFER = 4 << 20
"""Bytes of the sockets' buffers, so that the kernel loses nothing that the script does not."""


class Relay:
    """Lives on the event loop that opened it. ``up`` is from the client to the server, ``down`` the way back."""

    def __init__(self, up: Line, down: Line, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.up = up
        self.down = down
        self.refused = 0
        """Datagrams of strangers, or for somebody who is not known yet."""
        self._clock = clock
        self._client: Address | None = None
        self._server: Address | None = None
        self._client_side: asyncio.DatagramTransport | None = None
        self._server_side: asyncio.DatagramTransport | None = None
        self._upward = _Delayed(lambda data: self._send(self._server_side, data, self._server), clock)
        self._downward = _Delayed(lambda data: self._send(self._client_side, data, self._client), clock)

    @classmethod
    async def open(cls, up: Script | None = None, down: Script | None = None, seed: int = 0) -> Relay:
        """Binds two ports of 127.0.0.1. The same seed does the same to the same packets."""
        relay = cls(Line(up, 2 * seed), Line(down, 2 * seed + 1))
        relay._client_side = await _bind(relay._from_client)
        relay._server_side = await _bind(relay._from_server)
        return relay

    async def __aenter__(self) -> Relay:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def client_side(self) -> Address:
        """Where the client finds the server."""
        return _name(self._client_side)

    @property
    def server_side(self) -> Address:
        """Where the server finds the client."""
        return _name(self._server_side)

    def offer(self, sdp: str) -> str:
        """The client's offer as the server is to see it."""
        self._client = candidates.address(sdp) or self._client
        return candidates.through(sdp, self.server_side)

    def answer(self, sdp: str) -> str:
        """The server's answer as the client is to see it. Raises ValueError when it has no IPv4 host candidate."""
        server = candidates.address(sdp)
        if server is None:
            raise ValueError("the answer has no IPv4 host candidate for UDP to put a relay before")
        self._server = server
        return candidates.through(sdp, self.client_side)

    def connect(self, server: Address) -> None:
        """Names the server where no SDP does; the client is then whoever sends first."""
        self._server = server

    def close(self) -> None:
        """Frees the ports; what is on the line is gone. Safe to call twice."""
        self._upward.cancel()
        self._downward.cancel()
        for transport in (self._client_side, self._server_side):
            if transport is not None:
                transport.abort()

    def _from_client(self, data: bytes, sender: Address) -> None:
        # A client may send from another port than its candidate's; the server's end is fixed.
        self._client = sender
        self._pass(self.up, self._upward, data)

    def _from_server(self, data: bytes, sender: Address) -> None:
        if sender != self._server and self._server is not None:
            self.refused += 1
            return
        self._pass(self.down, self._downward, data)

    def _pass(self, line: Line, delayed: _Delayed, data: bytes) -> None:
        now = self._clock()
        self.up.begin(now)
        self.down.begin(now)
        for due, packet in line.push(data, now):
            delayed.add(due, packet)

    def _send(self, transport: asyncio.DatagramTransport | None, data: bytes, to: Address | None) -> None:
        if transport is None or to is None:
            self.refused += 1
        elif not transport.is_closing():
            transport.sendto(data, to)


class _Delayed:
    """Hands packets on when they are due, and those due at one time in the order in which they came."""

    def __init__(self, deliver: Callable[[bytes], None], clock: Callable[[], int]) -> None:
        self._deliver = deliver
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, bytes]] = []
        self._numbers = itertools.count()
        self._timer: tuple[int, asyncio.TimerHandle] | None = None

    def add(self, due: int, packet: bytes) -> None:
        heapq.heappush(self._waiting, (due, next(self._numbers), packet))
        self._run()

    def cancel(self) -> None:
        self._waiting.clear()
        if self._timer is not None:
            self._timer[1].cancel()

    def _run(self) -> None:
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            self._deliver(heapq.heappop(self._waiting)[2])
        if not self._waiting:
            return
        due = self._waiting[0][0]
        if self._timer is not None:
            if self._timer[0] == due and not self._timer[1].cancelled():
                return
            self._timer[1].cancel()
        self._timer = due, self._loop.call_later((due - now) / 1e9, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._run()


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._received(data, addr)

    def error_received(self, exc: Exception) -> None:
        """A port that is closed: a peer that has gone, which is none of the line's business."""


async def _bind(received: Callable[[bytes, Address], None]) -> asyncio.DatagramTransport:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.suppress(OSError):  # a kernel that allows less gives what it allows
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    bound.bind((LOOPBACK, 0))
    bound.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Protocol(received), sock=bound)
    return transport


def _name(transport: asyncio.DatagramTransport | None) -> Address:
    assert transport is not None
    host, port = transport.get_extra_info("sockname")
    return str(host), int(port)
