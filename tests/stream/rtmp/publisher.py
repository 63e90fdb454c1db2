"""A publisher, and one that does as OBS does, written after what they send rather than with the server's own code."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from stream.rtmp import amf0
from stream.rtmp.chunk_reader import ChunkReader
from stream.rtmp.message import Message
from tests.stream.rtmp.media import Tag

PATIENCE = 10.0
"""s that anything may take on a busy machine."""

HELLO = b"\3" + bytes(1536)
"""C0 and C1."""


def chunks(kind: int, payload: bytes, *, on: int = 3, stream: int = 0, time: int = 0, size: int = 128) -> bytes:
    """A message with a full header."""
    extended = time.to_bytes(4) if time >= 0xFFFFFF else b""
    header = (
        bytes((on,)) + min(time, 0xFFFFFF).to_bytes(3) + len(payload).to_bytes(3) + bytes((kind,)) + stream.to_bytes(4, "little")
    )
    pieces = [payload[begin : begin + size] for begin in range(0, len(payload), size)] or [b""]
    return header + extended + (bytes((0xC0 | on,)) + extended).join(pieces)


def call(*values: Any, on: int = 3, stream: int = 0, size: int = 128) -> bytes:
    """A command."""
    return chunks(20, amf0.encode(*values), on=on, stream=stream, size=size)


def connect(app: str = "live") -> bytes:
    return call("connect", 1, {"app": app, "type": "nonprivate", "tcUrl": f"rtmp://127.0.0.1/{app}"})


def publish(key: str) -> bytes:
    return call("publish", 5, None, key, "live", on=4, stream=1)


def opening(app: str = "live", key: str = "me") -> bytes:
    """Everything up to the media, as if no answer were waited for."""
    return HELLO + bytes(1536) + connect(app) + call("createStream", 4, None) + publish(key)


def media(tags: tuple[Tag, ...], size: int = 128, offset: int = 0) -> bytes:
    """Tags, each with a full header. ``offset`` in ms."""
    return b"".join(
        chunks(tag.kind, tag.body, on=4 + tag.kind % 3, stream=1, time=(tag.time + offset) & 0xFFFFFFFF, size=size)
        for tag in tags
    )


class ObsWriter:
    """Chunks as OBS's librtmp writes them: everything on chunk stream 4, what is as before left out, differences unsigned."""

    def __init__(self) -> None:
        self._last: tuple[int, int, int] | None = None
        self.size = 128

    def message(self, kind: int, payload: bytes, time: int) -> bytes:
        last, self._last = self._last, (time, len(payload), kind)
        body = len(payload).to_bytes(3) + bytes((kind,))
        if last is None or kind == 18 or time == 0:
            header, value = b"\x04", time
        else:
            value = (time - last[0]) & 0xFFFFFFFF
            header = b"\x84" if last[1:] == (len(payload), kind) else b"\x44"
        extended = value.to_bytes(4) if value >= 0xFFFFFF else b""
        message = header + min(value, 0xFFFFFF).to_bytes(3)
        if header != b"\x84":
            message += body
        if header == b"\x04":
            message += b"\1\0\0\0"
        message += extended
        for begin in range(0, max(len(payload), 1), self.size):
            message += (b"\xc4" + extended if begin else b"") + payload[begin : begin + self.size]
        return message


class Publisher:
    """A connection to a server, step by step."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._messages = ChunkReader()
        self.received: list[Message] = []

    @classmethod
    async def open(cls, port: int, context: ssl.SSLContext | None = None) -> Publisher:
        line = socket.create_connection(("127.0.0.1", port))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        name = "localhost" if context else None
        return cls(*await asyncio.open_connection(sock=line, ssl=context, server_hostname=name))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def handshake(self) -> None:
        await self.send(HELLO)
        answer = await asyncio.wait_for(self._reader.readexactly(1 + 2 * 1536), PATIENCE)
        assert answer[0] == 3
        assert answer[1 + 1536 :] == HELLO[1:]
        await self.send(answer[1 : 1 + 1536])

    async def message(self) -> Message:
        """The next one. Raises EOFError at the end."""
        while (message := self._messages.read()) is None:
            data = await asyncio.wait_for(self._reader.read(65536), PATIENCE)
            if not data:
                raise EOFError
            self._messages.feed(data)
        self.received.append(message)
        return message

    async def answer(self) -> list[Any]:
        """The next command. Raises EOFError."""
        while (message := await self.message()).kind != 20:
            pass
        return amf0.decode(message.payload)

    async def status(self) -> dict[str, Any]:
        """The next onStatus. Raises EOFError."""
        while (answer := await self.answer())[0] != "onStatus":
            pass
        return dict(answer[3])

    async def publish(self, key: str, app: str = "live") -> dict[str, Any]:
        """From nothing to the answer to publish, as OBS does it."""
        await self.handshake()
        await self.send(chunks(1, (4096).to_bytes(4), on=2) + connect(app))
        assert (await self.answer())[0] == "_result"
        await self.send(
            call("releaseStream", 2, None, key, size=4096)
            + call("FCPublish", 3, None, key, size=4096)
            + call("createStream", 4, None)
        )
        answers = [await self.answer() for _ in range(3)]
        assert [answer[:2] for answer in answers] == [["_result", 2.0], ["_result", 3.0], ["_result", 4.0]]
        assert answers[2][3] == 1.0
        await self.send(call("publish", 5, None, key, "live", on=4, stream=1, size=4096))
        return await self.status()

    async def ended(self) -> None:
        """Waits until the server has closed its side."""
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(self._reader.read(65536), PATIENCE):
                pass

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()
