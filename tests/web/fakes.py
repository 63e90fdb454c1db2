"""The house behind the door, as small as it can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

import aiohttp
from pydantic import Field

from stream.report import STAGES, PublisherReport, StreamReport
from stream.session import UnknownStream
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


@dataclass
class FakeLoop:
    session: FakeSession = field(default_factory=FakeSession)
    error: Exception | None = None
    connected: list[tuple[str, str, list[Step]]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def connect(self, stream: str, offer: str, steps: Sequence[Step]) -> FakeSession:
        if self.error is not None:
            raise self.error
        self.connected.append((stream, offer, list(steps)))
        return self.session

    async def disconnect(self, session_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.ended.append(session_id)


@dataclass
class FakeStreams:
    chains: dict[str, list[Step]] = field(default_factory=lambda: {"alice": []})
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
            viewers=0,
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
