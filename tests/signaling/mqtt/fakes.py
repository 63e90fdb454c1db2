"""A house with streams, a broker's line, and time, all of which do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from prometheus_client import CollectorRegistry

from signaling.mqtt.message import LinkLost, Message, Received
from signaling.mqtt.metrics import MqttMetrics
from signaling.mqtt.topics import Topics
from stream.errors import UnknownStream
from stream.outputs import OutputRefused, PushWanted, RecordingWanted
from stream.report import STAGES, OutputReport, StreamReport
from stream.session import Stream
from transforms.chain import Step
from transforms.window import Quantiles

TOPICS = Topics("doppel", "edge")


def metrics() -> MqttMetrics:
    return MqttMetrics(CollectorRegistry())


@dataclass
class Clock:
    """ns."""

    now: int = 0

    def __call__(self) -> int:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


@dataclass
class FakeIngest:
    protocol: str = "whip"


@dataclass
class FakeOutputs:
    listed: list[OutputReport] = field(default_factory=list)
    refusal: str = ""

    async def add(self, wanted: RecordingWanted | PushWanted) -> OutputReport:
        if self.refusal:
            raise OutputRefused(self.refusal)
        self.listed.append(OutputReport(f"id{len(self.listed)}", "recording", "running", f"film{len(self.listed)}.mp4", ""))
        return self.listed[-1]

    async def end(self, id: str) -> None:
        self.listed = [each for each in self.listed if each.id != id]

    def reports(self) -> Sequence[OutputReport]:
        return list(self.listed)


@dataclass(eq=False)
class FakeStream:
    name: str
    state: str = "live"
    steps: list[Step] = field(default_factory=list)
    publishers: list[FakeIngest] = field(default_factory=lambda: [FakeIngest()])
    outputs: FakeOutputs = field(default_factory=FakeOutputs)
    drops: dict[str, int] = field(default_factory=dict)
    error: Exception | None = None

    async def set_chain(self, steps: Sequence[Step]) -> None:
        if self.error is not None:
            raise self.error
        self.steps = list(steps)


@dataclass
class FakeStreams:
    streams: dict[str, FakeStream] = field(default_factory=dict)
    ended: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, **values: Any) -> FakeStream:
        return self.streams.setdefault(name, FakeStream(name, **values))

    @property
    def names(self) -> list[str]:
        return list(self.streams)

    def get(self, name: str) -> Stream:
        if name not in self.streams:
            raise UnknownStream(f"there is no stream {name!r} now")
        return cast(Stream, self.streams[name])

    def end(self, stream: Stream, reason: str) -> asyncio.Task[None]:
        async def over() -> None:
            self.ended.append((stream.name, reason))
            del self.streams[stream.name]

        return asyncio.create_task(over())

    def reports(self) -> Iterator[StreamReport]:
        for stream in list(self.streams.values()):
            yield StreamReport(
                stream=stream.name,
                state=stream.state,
                chain=[],
                publisher=None,
                viewers=3,
                fps_in=30.04,
                fps_out=29.96,
                kbps_in=1000.0,
                kbps_out=2000.0,
                latency_ms=dict.fromkeys(STAGES, Quantiles(1.0, 2.0, 3.0)),
                drops=dict(stream.drops),
                width_out=640,
                height_out=360,
                codec_out="H264",
            )


class FakeLink:
    """A line to a broker that keeps what it gets, until it is ``cut``."""

    def __init__(self, retained: Sequence[Received] = ()) -> None:
        self.published: list[Message] = []
        self.subscribed: list[tuple[str, bool]] = []
        self.acknowledges = asyncio.Event()
        self.acknowledges.set()
        """Cleared: the broker is slow."""
        self._retained = retained
        self._incoming: asyncio.Queue[Received | None] = asyncio.Queue()
        self._cut = asyncio.Event()

    def deliver(self, received: Received) -> None:
        self._incoming.put_nowait(received)

    def cut(self) -> None:
        self._cut.set()
        self.acknowledges.set()
        self._incoming.put_nowait(None)

    async def publish(self, message: Message) -> None:
        await self.acknowledges.wait()
        if self._cut.is_set():
            raise LinkLost("the line was cut")
        self.published.append(message)

    async def subscribe(self, topic: str, *, kept: bool) -> None:
        self.subscribed.append((topic, kept))
        if kept:
            for received in self._retained:
                self.deliver(received)
            self._retained = ()

    async def unsubscribe(self, topic: str) -> None:
        self.subscribed = [each for each in self.subscribed if each[0] != topic]

    async def received(self) -> AsyncIterator[Received]:
        while (received := await self._incoming.get()) is not None:
            yield received
        raise LinkLost("the line was cut")

    def last(self, topic: str) -> bytes | None:
        """What is retained there in the end."""
        found = [message.payload for message in self.published if message.topic == topic]
        return found[-1] if found else None


class FakeBroker:
    """Gives out one link after the other; an exception stands for an attempt that fails."""

    def __init__(self, *links: FakeLink | Exception) -> None:
        self._links = list(links)
        self.opened: list[tuple[str, Message]] = []

    @asynccontextmanager
    async def open(self, identifier: str, will: Message) -> AsyncIterator[FakeLink]:
        self.opened.append((identifier, will))
        link = self._links.pop(0) if self._links else LinkLost("there are no more")
        if isinstance(link, Exception):
            raise link
        yield link


async def settle(turns: int = 50) -> None:
    """Lets everything that can happen now happen."""
    for _ in range(turns):
        await asyncio.sleep(0)
