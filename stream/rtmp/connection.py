"""A session on a socket: its deadlines, its way to the decision, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import cast

from stream.rtmp.command import PublishRequest
from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import WRITE_BYTES, RtmpLimits
from stream.rtmp.session import Session, Sink

logger = logging.getLogger(__name__)

OnPublish = Callable[[PublishRequest, "Connection"], Awaitable[Sink]]
"""Returns where the media go, or raises Refused. It is cancelled where the publisher goes away or the time is over."""

_ROUND_TRIP = slice(68, 72)
"""Where Linux's struct tcp_info has tcpi_rtt, us. A ping of RTMP's own would not do: OBS does not answer one."""


class Connection(asyncio.Protocol):
    """One peer. ``closed`` of its sink is called once, when it ends for whatever reason; no media come after that."""

    def __init__(
        self,
        on_publish: OnPublish,
        limits: RtmpLimits,
        *,
        on_open: Callable[[Connection], None] = lambda _: None,
        on_publishing: Callable[[Connection], None] = lambda _: None,
        on_end: Callable[[Connection, str], None] = lambda _, __: None,
        on_lost: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        self.request: PublishRequest | None = None
        """What it publishes, or wants to."""
        self.address = ""
        self._on_publish = on_publish
        self._limits = limits
        self._on_open, self._on_publishing, self._on_end, self._on_lost = on_open, on_publishing, on_end, on_lost
        self._loop = asyncio.get_running_loop()
        self._session = Session(self)
        self._sink: Sink | None = None
        self._decision: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opened = self._heard = 0.0
        self._media = 0
        self._paused = self._scheduled = False
        self._ended = False
        self._lost = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it; the socket may still be there, to say why."""
        return self._ended

    @property
    def round_trip(self) -> int | None:
        """To the peer and back, ns; None where the system does not measure it, or the socket is closed."""
        line = self._transport.get_extra_info("socket")
        if line is None or sys.platform != "linux":
            return None
        try:
            measured = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ROUND_TRIP.stop)
        except OSError:
            return None
        return int.from_bytes(measured[_ROUND_TRIP], sys.byteorder) * 1000

    def end(self, reason: str) -> None:
        """Ends it, in words: no media come after that, and within ``limits.linger`` the socket is closed. Safe to call twice."""
        self._fail(RtmpError(reason))

    async def wait_closed(self) -> None:
        """Waits until the socket is closed."""
        await self._lost.wait()

    def abort(self, reason: str) -> None:
        """Ends it, and closes the socket at once."""
        self._end(reason)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BYTES)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._opened = self._loop.time()
        self._wait(self._limits.handshake_timeout, "the handshake was not finished in time")
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            # Read, so that the peer gets to read what it was told.
            return
        before = self._session.state
        try:
            self._session.receive(data)
        except RtmpError as error:
            self._fail(error)
            return
        if self._session.state != before:
            self._wait(self._opened + self._limits.publish_timeout - self._loop.time(), "nothing was published in time")
        if not self._scheduled:
            self._work()

    def pause_writing(self) -> None:
        self.abort("the publisher does not read what it is answered")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was lost: {exc}" if exc else "the publisher closed the connection")
        self._cancel_timer()
        self._lost.set()
        self._on_lost(self)

    def write(self, data: bytes) -> None:
        """For the session."""
        self._transport.write(data)

    def decide(self, request: PublishRequest) -> None:
        """For the session."""
        secure = self._transport.get_extra_info("sslcontext") is not None
        self.request = dataclasses.replace(request, address=self.address, secure=secure)
        self._cancel_timer()
        self._decision = self._loop.create_task(self._decide(self.request), name=f"rtmp-decide-{self.address}")

    async def _decide(self, request: PublishRequest) -> None:
        try:
            async with asyncio.timeout(self._limits.decision_timeout):
                sink = await self._on_publish(request, self)
        except RtmpError as error:
            self._fail(error)
            return
        except TimeoutError:
            self._fail(RtmpError("this stream could not be got ready in time; try again"))
            return
        except Exception:  # whatever failed there, a publisher is told, and does not wait for an answer that never comes
            logger.exception("whether %s may be published could not be decided", request)
            self._fail(RtmpError("an error in the server; its log says which"))
            return
        if self._ended:
            sink.closed("it was ended before it began")
            return
        self._sink = sink
        self._heard = self._loop.time()
        self._session.accept(sink)
        self._on_publishing(self)
        self._check_idle()
        self._work()

    def _work(self) -> None:
        """Works off what came in, in shares, and reads on only when that is done."""
        self._scheduled = False
        if self._ended:
            return
        try:
            more = self._session.work()
        except RtmpError as error:
            self._fail(error)
            return
        if self._session.media != self._media:
            self._media = self._session.media
            self._heard = self._loop.time()
        if self._session.state == "ended":
            self._end(self._session.end_reason)
            self._linger()
            return
        if more:
            self._scheduled = True
            self._loop.call_soon(self._work)
        self._read(not more and self._session.state != "deciding")

    def _read(self, wanted: bool) -> None:
        if self._transport.is_closing() or wanted != self._paused:
            return
        self._paused = not wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _fail(self, error: RtmpError) -> None:
        """Ends it, and tells the peer why."""
        if self._ended:
            return
        talking = self._session.state != "handshake"
        self._session.refuse(error)
        self._end(str(error))
        if talking:
            self._linger()
        else:
            self._transport.abort()

    def _linger(self) -> None:
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof() and not self._transport.get_write_buffer_size():
            # So that whoever waits for the end has not to wait for ours. It may be gone already, without our knowing.
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        self._read(True)
        self._cancel_timer()
        self._timer = self._loop.call_later(self._limits.linger, self._transport.abort)

    def _end(self, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._session.end()
        self._cancel_timer()
        if self._decision is not None and self._decision is not asyncio.current_task():
            self._decision.cancel()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(reason)
        self._on_end(self, reason)

    def _wait(self, seconds: float, reason: str) -> None:
        """Sets the one deadline anew."""
        self._cancel_timer()
        self._timer = self._loop.call_later(seconds, self._fail, RtmpError(reason))

    def _check_idle(self) -> None:
        left = self._heard + self._limits.idle_timeout - self._loop.time()
        if left <= 0:
            self._fail(RtmpError(f"nothing came for {self._limits.idle_timeout:g} s"))
        else:
            self._timer = self._loop.call_later(left, self._check_idle)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
