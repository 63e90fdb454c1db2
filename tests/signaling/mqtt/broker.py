"""An MQTT 5 broker in the test's own process: QoS 0 and 1, retained messages, wills, wildcards, and ways to misbehave."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    *range(1, 5),
    *range(8, 15),
)
BAD_CREDENTIALS = 0x86
NO_LOCAL, AS_PUBLISHED = 0x04, 0x08
WITH_WILL = b"\x04"
"""Reason to leave with."""


@dataclass
class Published:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: bytes = b""
    """As they were sent."""


@dataclass(eq=False)
class Session:
    writer: asyncio.StreamWriter
    id: str = ""
    will: Published | None = None
    filters: dict[str, int] = field(default_factory=dict)
    """Options of each."""


class Broker:
    """On a free port of 127.0.0.1, the same one after ``stop`` and ``start``."""

    def __init__(self, password: str | None = None) -> None:
        self.port = 0
        self.retained: dict[str, Published] = {}
        self.published: list[Published] = []
        """Everything, in the order of arrival; wills too."""
        self.sessions: list[Session] = []
        self.mute = False
        """Whether nothing is answered."""
        self._password = password
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._more = asyncio.Condition()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As if it were killed: nobody is told, and nothing that it retained is left."""
        assert self._server is not None
        self._server.close()
        for session in self.sessions:
            session.will = None
            session.writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()
        self.retained.clear()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, properties: bytes = b"") -> None:
        """As a client would."""
        await self._distribute(Published(topic, payload, 0, retain, properties), None)

    async def until(self, topic: str, count: int = 1, *, payload: bytes | None = None) -> list[Published]:
        """Waits for so many messages there, with that payload if one is given."""
        async with asyncio.timeout(10), self._more:
            while True:
                found = [each for each in self.published if each.topic == topic and payload in (None, each.payload)]
                if len(found) >= count:
                    return found
                await self._more.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = Session(writer)
        self.sessions.append(session)
        try:
            while True:
                first = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _length(reader))
                if not self.mute and not await self._handle(session, first, body):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.sessions.remove(session)
            writer.close()
            self._tasks.discard(task)
            if session.will is not None:
                await self._distribute(session.will, None)

    async def _handle(self, session: Session, first: int, body: bytes) -> bool:
        kind = first >> 4
        if kind == CONNECT:
            return self._connect(session, body)
        if kind == PUBLISH:
            await self._published(session, first, body)
        elif kind in (SUBSCRIBE, UNSUBSCRIBE):
            _, at = _properties(body, 2)
            codes = bytearray()
            while at < len(body):
                topic, at = _text(body, at)
                codes.append(1 if kind == SUBSCRIBE else 0)
                if kind == UNSUBSCRIBE:
                    session.filters.pop(topic, None)
                    continue
                options, at = body[at], at + 1
                session.filters[topic] = options
                if options >> 4 & 3 == 0:
                    for kept in [each for each in self.retained.values() if _matches(topic, each.topic)]:
                        _send(session, kept, retain=True)
            _write(session, SUBACK if kind == SUBSCRIBE else UNSUBACK, body[:2] + b"\0" + codes)
        elif kind == PINGREQ:
            _write(session, PINGRESP, b"")
        elif kind == DISCONNECT:
            if body[:1] != WITH_WILL:
                session.will = None
            return False
        return True

    def _connect(self, session: Session, body: bytes) -> bool:
        flags = body[7]
        _, at = _properties(body, 10)
        session.id, at = _text(body, at)
        if flags & 0x04:
            _, at = _properties(body, at)
            topic, at = _text(body, at)
            payload, at = _binary(body, at)
            session.will = Published(topic, payload, flags >> 3 & 3, bool(flags & 0x20))
        if flags & 0x80:
            _, at = _text(body, at)
        sent = _binary(body, at)[0].decode() if flags & 0x40 else None
        if sent != self._password:
            session.will = None
            _write(session, CONNACK, bytes((0, BAD_CREDENTIALS, 0)))
            return False
        for other in self.sessions:
            if other is not session and other.id == session.id:
                other.writer.transport.abort()
        _write(session, CONNACK, bytes((0, 0, 0)))
        return True

    async def _published(self, session: Session, first: int, body: bytes) -> None:
        topic, at = _text(body, 0)
        qos = first >> 1 & 3
        if qos:
            _write(session, PUBACK, body[at : at + 2])
            at += 2
        properties, at = _properties(body, at)
        await self._distribute(Published(topic, body[at:], qos, bool(first & 1), properties), session)

    async def _distribute(self, message: Published, source: Session | None) -> None:
        if message.retain:
            self.retained.pop(message.topic, None)
            if message.payload:
                self.retained[message.topic] = message
        for session in self.sessions:
            for topic, options in session.filters.items():
                if _matches(topic, message.topic) and not (source is session and options & NO_LOCAL):
                    _send(session, message, retain=message.retain and bool(options & AS_PUBLISHED))
        async with self._more:
            self.published.append(message)
            self._more.notify_all()


def _send(session: Session, message: Published, *, retain: bool) -> None:
    topic = message.topic.encode()
    body = struct.pack("!H", len(topic)) + topic + _variable(len(message.properties)) + message.properties + message.payload
    _write(session, PUBLISH, body, flags=int(retain))


def _write(session: Session, kind: int, body: bytes, flags: int = 0) -> None:
    session.writer.write(bytes((kind << 4 | flags,)) + _variable(len(body)) + body)


def _variable(number: int) -> bytes:
    written = bytearray()
    while True:
        number, digit = divmod(number, 128)
        written.append(digit | (128 if number else 0))
        if not number:
            return bytes(written)


async def _length(reader: asyncio.StreamReader) -> int:
    length = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 127) << shift
        if digit < 128:
            return length
        shift += 7


def _properties(body: bytes, at: int) -> tuple[bytes, int]:
    length = shift = 0
    while True:
        digit, at = body[at], at + 1
        length |= (digit & 127) << shift
        if digit < 128:
            return body[at : at + length], at + length
        shift += 7


def _binary(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int(struct.unpack_from("!H", body, at)[0])
    return body[at + 2 : end], end


def _text(body: bytes, at: int) -> tuple[str, int]:
    data, at = _binary(body, at)
    return data.decode(), at


def _matches(topic_filter: str, topic: str) -> bool:
    wanted, given = topic_filter.split("/"), topic.split("/")
    return len(wanted) == len(given) and all(want in ("+", level) for want, level in zip(wanted, given, strict=True))
