"""The house behind the door, as small as it can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import aiohttp
from pydantic import Field

from signaling.auth.principal import Principal
from stream.errors import UnknownStream
from stream.report import STAGES, OutputReport, PublisherReport, RenditionReport, SoundReport, StreamReport, ViewerReport
from transforms.base import Settings, Transform
from transforms.chain import Step, StepReport
from transforms.frame import Frame
from transforms.window import Quantiles


class Shade(Enum):
    LIGHT = "light"
    DARK = "dark"


class TintSettings(Settings):
    shade: Shade = Shade.LIGHT
    style: Literal["flat", "grained"] = "flat"
    strength: int = Field(default=5, ge=0, le=10)


class Tint(Transform[TintSettings]):
    title = "Tint"
    summary = "Colours the picture."
    settings_type = TintSettings

    def process(self, frame: Frame) -> Frame:
        return frame


@dataclass(frozen=True)
class FakeSession:
    id: str = "s3cret-session"
    answer: str = "v=0 answer"
    etag: str = '"tag"'


@dataclass
class FakeSessions:
    session: FakeSession = field(default_factory=FakeSession)
    ice_links: tuple[str, ...] = ()
    error: Exception | None = None
    connected: list[tuple[str, str, str, list[Step] | None, str | None]] = field(default_factory=list)
    """Kind, stream, offer, chain and who."""
    owner: str = "sub:alice"
    """Whose all sessions are."""
    trickled: list[tuple[str, str, str | None]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def loop(self, stream: str, offer: str, steps: Sequence[Step], publisher: Principal) -> FakeSession:
        return self._connect("loop", stream, offer, steps, publisher)

    async def publish(self, stream: str, offer: str, steps: Sequence[Step] | None, publisher: Principal) -> FakeSession:
        return self._connect("whip", stream, offer, steps, publisher)

    async def watch(self, stream: str, offer: str, viewer: Principal) -> FakeSession:
        return self._connect("whep", stream, offer, None, viewer)

    async def trickle(self, session_id: str, fragment: str, if_match: str | None) -> None:
        if self.error is not None:
            raise self.error
        self.trickled.append((session_id, fragment, if_match))

    async def end(self, session_id: str) -> None:
        if session_id in self:
            self.ended.append(session_id)

    def __contains__(self, session_id: object) -> bool:
        return session_id == self.session.id

    def belongs(self, session_id: str, stream: str, caller: Principal) -> bool:
        return caller.takes_over or caller.identity in (self.owner, None)

    def _connect(self, kind: str, stream: str, offer: str, steps: Sequence[Step] | None, caller: Principal) -> FakeSession:
        if self.error is not None:
            raise self.error
        self.connected.append((kind, stream, offer, None if steps is None else list(steps), caller.identity))
        return self.session


@dataclass
class FakeStreams:
    chains: dict[str, list[Step]] = field(default_factory=lambda: {"alice": []})
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    error: Exception | None = None

    def reports(self) -> Iterator[StreamReport]:
        yield from [self.report(name) for name in self.chains]

    def report(self, name: str) -> StreamReport:
        chain = [StepReport(step.key, step.settings, Quantiles(1.0, 2.0, 3.0), 4) for step in self.steps(name)]
        return StreamReport(
            stream=name,
            state="live",
            chain=chain,
            publisher=PublisherReport("loop", "H264", 1280, 720, 12.5, 3, None),
            viewers=1,
            audience=[ViewerReport("5e1f", "whep", "VP8", "main", 2.5, 1.5, 0, 1900.0, None, 3)],
            renditions=[RenditionReport("main", "VP8", 1280, 720, 29.0, 1900.0, 2000.0, 1)],
            sound=SoundReport("OPUS", False, 12.5),
            outputs=[OutputReport("1", "rtmp", "waiting", "rtmp://live.example/app", "it is full")],
            fps_in=30.0,
            fps_out=29.0,
            kbps_in=2000.0,
            kbps_out=1900.0,
            latency_ms=dict.fromkeys(STAGES, Quantiles(1.0, 2.0, 3.0)),
            drops={"superseded": 7},
            width_out=1280,
            height_out=720,
            codec_out="H264",
        )

    def steps(self, name: str) -> list[Step]:
        if name not in self.chains:
            raise UnknownStream(f"there is no stream {name!r}")
        return self.chains[name]

    def outputs(self, name: str) -> Any:
        raise UnknownStream(f"there is no stream {name!r} now")

    async def stop(self, name: str, reason: str) -> None:
        self.report(name)
        self.stopped.append(name)

    async def thumbnail(self, name: str) -> bytes | None:
        self.report(name)
        return self.thumbnails.get(name)

    async def set_chain(self, name: str, steps: Sequence[Step]) -> None:
        self.steps(name)
        if self.error is not None:
            raise self.error
        self.chains[name] = list(steps)


@dataclass
class FakeReady:
    why_not: str | None = None

    def __call__(self) -> str | None:
        return self.why_not


async def assert_problem(response: aiohttp.ClientResponse, status: int, *words: str) -> None:
    """That the response is a problem (RFC 9457) of this status whose detail is a sentence with these words."""
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    body = await response.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"][0] == body["detail"][0].upper()
    assert body["detail"].endswith((".", "!", "?"))
    for word in words:
        assert word in body["detail"]
