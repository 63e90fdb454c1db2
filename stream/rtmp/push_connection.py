"""A push on a socket: its deadlines, how much may wait for the server, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import cast

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import MAX_BACKLOG, SERVER_BYTES, TICK, UNSENT_BYTES, PushLimits
from stream.rtmp.push_session import PushSession, State
from stream.rtmp.target import Target

_SLOW = {
    "handshake": "the server did not finish the handshake",
    "connecting": "the server did not answer connect",
    "creating": "the server did not answer createStream",
    "starting": "the server did not answer publish",
}


class PushConnection(asyncio.Protocol):
    """One connection to one server, used once: ``open``, ``send`` until ``wait_ended``, and ``close``, whatever happened."""

    def __init__(self, target: Target, limits: PushLimits) -> None:
        self.full = False
        """Whether more waits for the server than may; may be read by any thread."""
        self._target = target
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._session = PushSession(target, self._write)
        self._transport: asyncio.Transport | None = None
        self._error: RtmpError | None = None
        self._published, self._ended, self._lost = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._scheduled = False
        self._allowance = SERVER_BYTES
        self._written = 0
        """bytes, in all; and of those how many have left, when last looked at, and when that last changed:"""
        self._left = 0
        self._moved = 0.0

    async def open(self, context: ssl.SSLContext | None) -> None:
        """Connects and publishes. Raises RtmpError; Refused where the server says no."""
        target, limits = self._target, self._limits
        where = f"{target.host}, port {target.port}"
        try:
            async with asyncio.timeout(limits.connect_timeout):
                await self._loop.create_connection(
                    lambda: self,
                    target.host,
                    target.port,
                    ssl=context,
                    server_hostname=target.host if context else None,
                    ssl_shutdown_timeout=limits.linger if context else None,
                )
        except TimeoutError:
            raise RtmpError(f"{where} did not answer within {limits.connect_timeout:g} s") from None
        except OSError as error:
            raise RtmpError(f"{where} cannot be reached: {target.conceal(error.strerror or str(error))}") from None
        await self._published.wait()
        if self._error is not None:
            raise self._error

    async def wait_ended(self) -> RtmpError:
        """Waits until nothing more can be sent; returns why."""
        await self._ended.wait()
        assert self._error is not None
        return self._error

    def send(self, kind: int, timestamp: int, payload: bytes) -> None:
        """A message of the stream; ``timestamp`` in ms, modulo 2**32. Let go where there is nobody to take it any more."""
        if self._error is None:
            self._session.send(kind, timestamp, payload)

    def limit(self, backlog: int) -> None:
        """How many bytes may wait before it is ``full``; until half of them are gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.set_write_buffer_limits(high=min(backlog, MAX_BACKLOG), low=min(backlog, MAX_BACKLOG) // 2)

    async def close(self) -> None:
        """Takes leave of the server and closes the socket, within ``limits.linger``. Safe to call twice."""
        transport = self._transport
        if transport is None:
            return
        if self._error is None:
            self._session.finish()
        self._end(RtmpError("it was ended here"))
        transport.close()
        try:
            async with asyncio.timeout(self._limits.linger):
                await self._lost.wait()
        except TimeoutError:
            transport.abort()
            await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        line = transport.get_extra_info("socket")
        if line is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with contextlib.suppress(OSError):
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self.limit(MAX_BACKLOG)
        self._moved = self._loop.time()
        self._tick()
        self._wait()
        self._session.begin()

    def data_received(self, data: bytes) -> None:
        if self._error is not None:
            return
        self._allowance -= len(data)
        try:
            if self._allowance < 0:
                raise RtmpError(f"the server sends more than {SERVER_BYTES} bytes in {TICK:g} s, and is only to listen")
            before = self._session.state
            self._session.receive(data)
        except RtmpError as error:
            self._fail(error)
            return
        if not self._scheduled:
            self._work(before)

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False

    def connection_lost(self, exc: Exception | None) -> None:
        said = self._target.conceal(str(exc)) if exc else ""
        self._end(RtmpError(f"the connection was lost: {said}" if said else "the server closed the connection"))
        self._lost.set()

    def _work(self, before: State | None = None) -> None:
        """Works off what came in, in shares."""
        self._scheduled = False
        if self._error is not None:
            return
        before = before or self._session.state
        try:
            more = self._session.work()
        except RtmpError as error:
            self._fail(error)
            return
        if more:
            self._scheduled = True
            self._loop.call_soon(self._work)
        if self._session.state != before:
            self._wait()
        if self._session.state == "publishing":
            self._published.set()

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._written += len(data)
        self._transport.write(data)

    def _wait(self) -> None:
        """Sets the deadline for what the server does next."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if (slow := _SLOW.get(self._session.state)) is not None:
            seconds = self._limits.command_timeout
            self._deadline = self._loop.call_later(seconds, self._fail, RtmpError(f"{slow} within {seconds:g} s"))

    def _tick(self) -> None:
        assert self._transport is not None
        self._allowance = SERVER_BYTES
        now, waiting = self._loop.time(), self._transport.get_write_buffer_size()
        left = self._written - waiting
        if not waiting or left > self._left:
            self._left, self._moved = left, now
        elif now - self._moved >= self._limits.stall_timeout:
            self._fail(RtmpError(f"the server took nothing of what it was sent for {self._limits.stall_timeout:g} s"))
            return
        self._ticker = self._loop.call_later(min(TICK, self._limits.stall_timeout / 4), self._tick)

    def _fail(self, error: RtmpError) -> None:
        self._end(error)
        if self._transport is not None:
            self._transport.abort()

    def _end(self, error: RtmpError) -> None:
        if self._error is not None:
            return
        self._error = error
        self._session.state = "ended"
        for timer in (self._deadline, self._ticker):
            if timer is not None:
                timer.cancel()
        self._published.set()
        self._ended.set()
