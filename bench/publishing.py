"""Publishers in processes of their own, by WHIP or RTMP, that can be killed from one moment to the next."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Literal

import aiohttp
import uvloop

from bench import clip, flv
from bench.apart import ClientFailed
from bench.flv import Tag
from stream.limits import MTU_PAYLOAD
from stream.rtc.payload import FORMATS
from stream.rtmp import amf0
from stream.rtmp.chunk_reader import ChunkReader
from stream.rtmp.chunk_writer import ChunkWriter

LOOPBACK = "127.0.0.1"
CONNECT_TIMEOUT = 20.0
"""s until it publishes: what a server may take to load models for its first stream."""
START_TIMEOUT = 30.0
"""s for the process to start on a busy machine."""
CONNECT_RETRY = 0.05
"""s between two attempts to connect to a server that does not listen yet."""
CHUNK_SIZE = 4096
"""bytes; OBS's."""
COMMAND, SET_CHUNK_SIZE = 20, 1
HANDSHAKE = 1536


@dataclass(frozen=True, slots=True)
class WhipPlan:
    """Pictures without sound."""

    url: str
    codec: Literal["H264", "VP8"]
    frames: Sequence[bytes]
    """At 30 fps, again and again, from a keyframe."""
    key: str = ""


@dataclass(frozen=True, slots=True)
class RtmpPlan:
    port: int
    name: str
    """The stream's, with its query."""
    tags: Sequence[Tag] = field(repr=False)
    """Of an FLV, sequence headers first; when they end they begin again, with time stamps that go on."""
    log: bool = False
    """Whether to keep when each picture was sent."""


Plan = WhipPlan | RtmpPlan


class Publisher:
    """A context: on entering, the process is there and waits for ``begin``; on leaving, it is killed."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(plan, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Publisher:
        self._expect("ready", START_TIMEOUT)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def begin(self) -> None:
        """Connects and publishes. Raises ClientFailed where that does not come about."""
        self._ours.send("begin")
        self._expect("publishing", CONNECT_TIMEOUT + START_TIMEOUT)

    def sent(self) -> list[int]:
        """Ends it, and returns when each picture was handed to the socket, monotonic ns."""
        self._ours.send("end")
        if not self._ours.poll(START_TIMEOUT):
            raise ClientFailed("the publisher did not end")
        found: list[int] = self._ours.recv()
        return found

    def kill(self) -> None:
        """From one moment to the next: no goodbye is sent."""
        self._process.kill()
        self._process.join()
        self._ours.close()

    def _expect(self, word: str, within: float) -> None:
        try:
            told = self._ours.recv() if self._ours.poll(within) else f"it was not {word} within {within:g} s"
        except EOFError:
            told = "its process ended"
        if told != word:
            self.kill()
            raise ClientFailed(f"a publisher failed: {told}")


def _main(plan: Plan, line: Connection) -> None:
    line.send("ready")
    if line.recv() != "begin":
        return
    try:
        if isinstance(plan, WhipPlan):
            uvloop.run(_whip(plan, line))
        else:
            _rtmp(plan, line)
    except Exception as error:  # the other process tells the user, whatever it was
        line.send(f"{type(error).__name__}: {error}")


async def _whip(plan: WhipPlan, line: Connection) -> None:
    from bench.caller import Caller  # brings torch with it, which takes seconds, and RTMP's publishers need none of it

    caller = Caller("publish", codec=plan.codec)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CONNECT_TIMEOUT)) as http:
        await caller.connect(plan.url, http, {"Authorization": f"Bearer {plan.key}"} if plan.key else None)
        line.send("publishing")
        sender = caller.peer.sender
        assert sender is not None
        split = FORMATS[plan.codec].split
        began = time.monotonic()
        count = 0
        while not caller.closed:
            await asyncio.sleep(began + count / clip.FPS - time.monotonic())
            frame = count % len(plan.frames)
            sender.send(split(plan.frames[frame], MTU_PAYLOAD), count * clip.TICKS, frame % clip.GOP_FRAMES == 0)
            count += 1


def _rtmp(plan: RtmpPlan, line: Connection) -> None:
    sent: list[int] = []
    with _connected(plan.port) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer = _opened(server, plan.name)
        line.send("publishing")
        try:
            for tag, at in _endless(plan.tags):
                if line.poll(max(0.0, at)):
                    break
                message = writer.message(6 if tag.kind == flv.VIDEO else 4, tag.kind, tag.body, 1, tag.time)
                if plan.log and tag.kind == flv.VIDEO and flv.is_picture(tag):
                    sent.append(time.monotonic_ns())
                server.sendall(message)
        except ConnectionError:
            pass  # whoever measures has seen enough, and asks next
    line.recv()
    line.send(sent)


def _endless(tags: Sequence[Tag]) -> Iterator[tuple[Tag, float]]:
    """Each tag with the time that it is sent under, and the s that are left until then; sequence headers only once."""
    began = time.monotonic()
    length = max(tag.time for tag in tags) + round(1000 / clip.FPS)
    for turn in itertools.count():
        for tag in tags:
            if turn == 0 or (tag.kind != flv.SCRIPT and not (tag.kind == flv.VIDEO and not flv.is_picture(tag))):
                at = tag.time + turn * length
                yield Tag(tag.kind, at, tag.body), began + at / 1000 - time.monotonic()


def _connected(port: int) -> socket.socket:
    """Waits for somebody to listen. Raises OSError."""
    deadline = time.monotonic() + CONNECT_TIMEOUT
    while True:
        try:
            return socket.create_connection((LOOPBACK, port), timeout=CONNECT_TIMEOUT)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(CONNECT_RETRY)


def _opened(server: socket.socket, name: str) -> ChunkWriter:
    """From nothing to publishing. Raises ClientFailed with the server's words."""
    server.sendall(b"\3" + bytes(HANDSHAKE))
    answer = b""
    while len(answer) < 1 + 2 * HANDSHAKE:
        piece = server.recv(65536)
        if not piece:
            raise ClientFailed("the server hung up in the handshake")
        answer += piece
    server.sendall(answer[1 : 1 + HANDSHAKE])
    writer, reader = ChunkWriter(), ChunkReader()
    server.sendall(writer.set_chunk_size(CHUNK_SIZE))
    url = f"rtmp://{LOOPBACK}/live"
    calls: list[tuple[amf0.Sendable, ...]] = [
        ("connect", 1, {"app": "live", "type": "nonprivate", "tcUrl": url}),
        ("createStream", 2, None),
        ("publish", 3, None, name, "live"),
    ]
    for call in calls:
        server.sendall(writer.message(3, COMMAND, amf0.encode(*call), int(call[0] == "publish")))
    while True:
        message = reader.read()
        if message is None:
            data = server.recv(65536)
            if not data:
                raise ClientFailed("the server hung up before anything was published")
            reader.feed(data)
        elif message.kind == COMMAND:
            values = amf0.decode(message.payload)
            status = values[3] if values[0] == "onStatus" and len(values) > 3 else None
            if isinstance(status, dict):
                if status.get("code") != "NetStream.Publish.Start":
                    raise ClientFailed(f"the server refused: {status.get('description')}")
                return writer
