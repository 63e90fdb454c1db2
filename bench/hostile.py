"""Clients that mean harm, each in the way that its name says, and how soon the server was rid of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stream.rtmp import amf0
from stream.rtmp.chunk_writer import ChunkWriter

LOOPBACK = "127.0.0.1"
AT_ONCE = 1.5
"""s until what can be seen at once is refused, on a busy machine; RTMP's linger is 1 s of it."""
SLACK = 2.0
"""s above a server's own deadline."""
HANDSHAKE, PUBLISH, BODY, HEAD = 5.0 + SLACK, 10.0 + SLACK, 10.0 + SLACK, 10.0 + SLACK
"""The deadlines of RTMP's handshake and publish, and of an HTTP request's body and head, s."""
GIVE_UP = 15.0
"""s after which a client that was not refused leaves by itself."""
DRIP = 0.1
"""s between two bytes of one who is slow on purpose."""
HELLO = b"\3" + bytes(1536)
"""C0 and C1."""
SDP_TYPE = b"application/sdp"
CANDIDATE = "a=candidate:{n} 1 udp 2130706431 192.0.2.1 {port} typ host\r\n"


class Line:
    """A socket that reads until it is hung up on, whatever comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def until_hung_up(self) -> str:
        while await self._reader.read(65536):
            pass
        return "hung up"

    async def answered(self) -> str:
        """The status of an HTTP answer."""
        line = await self._reader.readline()
        return line.decode(errors="replace").strip() or "hung up"

    async def drip(self, data: bytes) -> str:
        """Sends a byte now and then, until the server has had enough."""
        for value in data:
            await self.send(bytes((value,)))
            try:
                async with asyncio.timeout(DRIP):
                    if not (answer := await self._reader.readline()):
                        return "hung up"
                    if answer.startswith(b"HTTP"):
                        return answer.decode(errors="replace").strip()
            except TimeoutError:
                continue
        return await self.until_hung_up()


@asynccontextmanager
async def _line(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    protocol: str
    """"RTMP" or "HTTP": which port it goes to."""
    deadline: float
    """s in which it is to be refused."""
    run: Callable[[Line], Awaitable[str]]
    """Returns what the server did."""


@dataclass(frozen=True, slots=True)
class Refusal:
    name: str
    protocol: str
    deadline: float
    told: str
    """What the server did; empty where it did nothing in GIVE_UP."""
    seconds: float

    @property
    def kept(self) -> bool:
        """Whether it was refused in time, and with no fault of the server's own."""
        return bool(self.told) and self.seconds <= self.deadline and " 5" not in self.told[:12] and " 20" not in self.told[:12]


async def attack(attack: Attack, ports: dict[str, int]) -> Refusal:
    """Carries one out."""
    began = time.monotonic()
    told = ""
    try:
        async with asyncio.timeout(GIVE_UP), _line(ports[attack.protocol]) as line:
            told = await attack.run(line)
    except ConnectionError:
        told = "hung up"
    except TimeoutError:
        pass
    return Refusal(attack.name, attack.protocol, attack.deadline, told, time.monotonic() - began)


def _rtmp(*pieces: bytes) -> Callable[[Line], Awaitable[str]]:
    async def run(line: Line) -> str:
        for piece in pieces:
            await line.send(piece)
        return await line.until_hung_up()

    return run


def _http(*pieces: bytes) -> Callable[[Line], Awaitable[str]]:
    async def run(line: Line) -> str:
        for piece in pieces:
            await line.send(piece)
        return await line.answered()

    return run


def _drip(data: bytes, first: bytes = b"") -> Callable[[Line], Awaitable[str]]:
    async def run(line: Line) -> str:
        if first:
            await line.send(first)
        return await line.drip(data)

    return run


def _post(body: bytes, kind: bytes = SDP_TYPE, path: bytes = b"/whip/hostile", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (path, kind, size, body)


def _command(*values: amf0.Sendable) -> bytes:
    return ChunkWriter().message(3, 20, amf0.encode(*values))


def _nested(depth: int) -> bytes:
    """connect, with objects within objects."""
    body = amf0.encode("connect", 1) + b"\3" + b"\0\1a\3" * depth + b"\0\0\x09" * (depth + 1)
    return ChunkWriter().message(3, 20, body)


def _chunk_streams(count: int) -> bytes:
    """The beginnings of messages, on so many chunk streams."""
    head = bytes(3) + (200).to_bytes(3) + b"\x09" + bytes(4)
    return b"".join(b"\1" + (number - 64).to_bytes(2, "little") + head + bytes(128) for number in range(64, 64 + count))


def attacks() -> Sequence[Attack]:
    """All of them."""
    opened = HELLO + bytes(1536)
    giant = b"\3" + bytes(3) + b"\xff\xff\xff\x14" + bytes(4)
    candidates = "".join(CANDIDATE.format(n=n, port=1024 + n) for n in range(10_000)).encode()
    section = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
    return [
        Attack("noise", "RTMP", AT_ONCE, _rtmp(b"\x80" + os.urandom(65536))),
        Attack("HTTP on RTMP's port", "RTMP", AT_ONCE, _rtmp(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        Attack("silence", "RTMP", HANDSHAKE, _rtmp()),
        Attack("half a handshake", "RTMP", HANDSHAKE, _rtmp(HELLO[:700])),
        Attack("a slow handshake", "RTMP", HANDSHAKE, _drip(HELLO)),
        Attack("a handshake, then silence", "RTMP", PUBLISH, _rtmp(opened)),
        Attack("commands without end, slowly", "RTMP", PUBLISH, _drip(_command("_checkbw", 0, None) * 10, opened)),
        Attack("a message of 16 MB", "RTMP", AT_ONCE, _rtmp(opened, giant, bytes(1 << 20))),
        Attack("20,000 chunk streams", "RTMP", AT_ONCE, _rtmp(opened, _chunk_streams(20_000))),
        Attack("chunks of 0 bytes", "RTMP", AT_ONCE, _rtmp(opened, ChunkWriter().message(2, 1, bytes(4)))),
        Attack("chunks of 1 byte", "RTMP", AT_ONCE, _rtmp(opened, ChunkWriter().message(2, 1, (1).to_bytes(4)))),
        Attack("a chunk that goes on with nothing", "RTMP", AT_ONCE, _rtmp(opened, b"\xc3" + bytes(128))),
        Attack("AMF0 nested 10,000 deep", "RTMP", AT_ONCE, _rtmp(opened, _nested(10_000))),
        Attack("noise after the handshake", "RTMP", PUBLISH, _rtmp(opened, os.urandom(1 << 20))),
        Attack("a head without end, slowly", "HTTP", HEAD, _drip(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 100)),
        Attack("a connection, then silence", "HTTP", HEAD, _http()),
        Attack("a body that does not come", "HTTP", BODY, _http(_post(b"v=0\r\n", length=4000))),
        Attack("a body without end, slowly", "HTTP", BODY, _drip(b"v" * 4000, _post(b"", length=4000))),
        Attack("an offer of 1 MB", "HTTP", AT_ONCE, _http(_post(section + b"a=x\r\n" * 200_000))),
        Attack("an offer of 1 MB that says 0", "HTTP", AT_ONCE, _http(_post(section, length=0) + b"a=x\r\n" * 200_000)),
        Attack("an offer with 10,000 candidates", "HTTP", AT_ONCE, _http(_post(section + candidates))),
        Attack("an offer with 1,000 candidates", "HTTP", AT_ONCE, _http(_post(section + candidates[:58_000]))),
        Attack("an offer that is none", "HTTP", AT_ONCE, _http(_post(os.urandom(4096)))),
        Attack("an offer to watch that is none", "HTTP", AT_ONCE, _http(_post(b"v=0\r\n" * 1000, path=b"/whep/hostile"))),
        Attack("a wrong type", "HTTP", AT_ONCE, _http(_post(b"{}", b"application/json"))),
        Attack("a type that is none", "HTTP", AT_ONCE, _http(_post(b"{}", b"\xff/" + b"a" * 1000))),
        Attack("a header of 1 MB", "HTTP", AT_ONCE, _http(b"GET / HTTP/1.1\r\nX-A: " + b"a" * (1 << 20) + b"\r\n\r\n")),
        Attack("noise", "HTTP", AT_ONCE, _http(os.urandom(65536) + b"\r\n\r\n")),
        Attack("a chain nested 5,000 deep", "HTTP", AT_ONCE, _http(_post(section, path=b"/whip/hostile?chain=" + b"[" * 5000))),
    ]
