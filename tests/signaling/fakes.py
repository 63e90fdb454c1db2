"""Streams that connect nobody, and say what was asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stream.connection import Connection
from stream.errors import NotLive, StreamExists, UnknownStream
from stream.rtc.parameters import Candidate, LocalTransport, Media, RemoteTransport
from transforms.chain import Step

LOCAL = LocalTransport(
    "user",
    "p" * 22,
    ["1 1 udp 2130706431 127.0.0.1 4242 typ host"],
    [("sha-256", "EF:" * 31 + "01"), ("sha-512", "EF:" * 63 + "01")],
)


@dataclass(eq=False)
class FakeConnection:
    """One peer, until ``leave``."""

    media: Media
    remote: RemoteTransport
    on_closed: Callable[[str], None]
    candidates: list[Candidate] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    async def add_candidates(self, candidates: Sequence[Candidate]) -> None:
        self.candidates += candidates

    async def close(self, reason: str) -> None:
        if not self.reasons:
            await asyncio.sleep(0)
            self.leave(reason)

    def leave(self, reason: str) -> None:
        self.reasons.append(reason)
        self.on_closed(reason)

    def connection(self) -> Connection:
        video, audio = self.media.video, self.media.audio
        ssrcs: dict[str, tuple[int, ...]] = {}
        if video is not None and video.send:
            ssrcs[video.mid] = (1001, 1002) if video.rtx_payload_type is not None else (1001,)
        if audio is not None and audio.send:
            ssrcs[audio.mid] = (2001,)
        return Connection(LOCAL, ssrcs, "cname", self.add_candidates, self.close)


@dataclass(eq=False)
class FakeStream:
    name: str
    credential: str | None = None
    private: bool = False
    live: bool = True
    chains: list[list[Step]] = field(default_factory=list)
    peers: list[tuple[str, FakeConnection]] = field(default_factory=list)
    chain_error: Exception | None = None
    error: Exception | None = None
    """Raised by whatever connects."""
    gate: asyncio.Event | None = None
    """Connecting waits for it."""

    async def set_chain(self, steps: Sequence[Step]) -> None:
        if self.chain_error is not None:
            raise self.chain_error
        self.chains.append(list(steps))

    async def loop_back(self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None]) -> Connection:
        return await self._connect("loop", media, remote, on_closed)

    async def publish(self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None]) -> Connection:
        return await self._connect("publish", media, remote, on_closed)

    async def watch(self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None]) -> Connection:
        if not self.live:
            raise NotLive(f"stream {self.name!r} is not live yet; try again in a moment", 3)
        return await self._connect("watch", media, remote, on_closed)

    async def _connect(self, kind: str, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None]) -> Connection:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        peer = FakeConnection(media, remote, on_closed)
        self.peers.append((kind, peer))
        return peer.connection()


@dataclass
class FakeStreams:
    streams: dict[str, FakeStream] = field(default_factory=dict)
    abandoned: list[str] = field(default_factory=list)
    error: Exception | None = None
    """Raised by ``open``."""
    make: Callable[[str, str | None, bool], FakeStream] = FakeStream

    def open(self, name: str, credential: str | None = None, *, exclusive: bool = False, takes_over: bool = False) -> FakeStream:
        if self.error is not None:
            raise self.error
        there = self.streams.get(name)
        if there is not None:
            if exclusive or there.private or not (takes_over or there.credential == credential):
                raise StreamExists(f"stream {name!r} has a publisher already; use another name")
            return there
        stream = self.streams[name] = self.make(name, credential, exclusive)
        return stream

    def get(self, name: str) -> FakeStream:
        if name not in self.streams:
            raise UnknownStream(f"there is no stream {name!r} now")
        return self.streams[name]

    async def abandon(self, stream: FakeStream) -> None:
        await asyncio.sleep(0)
        self.abandoned.append(stream.name)
        if not stream.peers:
            self.streams.pop(stream.name, None)
