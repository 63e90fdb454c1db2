"""Writes down what streams do, for the broker."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, cast

from signaling.mqtt.discovery import Discovery
from signaling.mqtt.documents import Event, Latency, Stats, StepState, StreamState
from signaling.mqtt.drop_alarm import DropAlarm
from signaling.mqtt.limits import MAX_SETTINGS, REFUSALS, ROUND
from signaling.mqtt.message import Message
from signaling.mqtt.outbox import Outbox
from signaling.mqtt.topics import Topics
from stream.errors import UnknownStream
from stream.events import StreamEvent
from stream.report import StreamReport
from stream.session import Stream
from transforms.chain import Step

logger = logging.getLogger(__name__)

_TOLD = ("published", "lost", "returned", "ended", "refused")
"""What is an event at the broker too; the rest only changes a state."""


class Streams(Protocol):
    """The streams there are."""

    @property
    def names(self) -> Sequence[str]: ...

    def get(self, name: str, /) -> Stream:
        """Raises UnknownStream."""

    def reports(self) -> Iterable[StreamReport]:
        """One by one, as they are asked for."""


class Reporter:
    """Lives on the event loop. ``on_event`` is for ``Streams.observe``."""

    def __init__(
        self,
        topics: Topics,
        streams: Streams,
        outbox: Outbox,
        discovery: Discovery | None,
        *,
        interval: float,
        alarm: float,
        pause: float = ROUND,
        clock: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``interval`` of stats and ``pause`` between two looks at what changed, s; ``alarm``: drops a second; ``clock``:
        monotonic ns; ``wall``: s since 1970.
        """
        self._topics = topics
        self._streams = streams
        self._outbox = outbox
        self._discovery = discovery
        self._interval = interval
        self._pause = pause
        self._clock = clock
        self._wall = wall
        self._alarm = DropAlarm(alarm)
        self._changed: dict[str, None] = {}
        """Names of streams whose state is to be written, in the order in which they changed."""
        self._woken = asyncio.Event()
        self._refused_at: int | None = None
        self._unsaid: StreamEvent | None = None
        """The last refusal that was not told."""
        self._unsaid_count = 0

    def on_event(self, event: StreamEvent) -> None:
        if event.happening != "refused":
            self._look_at(event.stream)
        elif self._refused_at is not None and self._clock() - self._refused_at < REFUSALS * 1e9:
            self._unsaid, self._unsaid_count = event, self._unsaid_count + 1
            return
        if event.happening in _TOLD:
            self._tell(event)

    def refresh(self) -> None:
        """Writes every stream's state again: the broker may have lost it."""
        for name in self._streams.names:
            self._look_at(name)

    def found(self, topic: str) -> None:
        """Something is retained there: it is cleared, if it is about a stream that is not there any more."""
        stream = self._topics.stream(topic, "state")
        if stream is None and self._discovery is not None:
            stream = self._discovery.stream(topic)
        if stream is not None and stream not in self._streams.names:
            self._outbox.put(Message("state", topic, b""))

    async def write_states(self) -> None:
        """Until it is cancelled."""
        while True:
            self._woken.clear()
            await self.write_changed()
            await asyncio.sleep(self._pause)
            await self._woken.wait()

    async def write_changed(self) -> None:
        """The states of those streams that changed since the last call."""
        changed, self._changed = self._changed, {}
        for name in changed:
            try:
                await self._write_state(name)
            except Exception:  # a plugin's settings are written by its own code, whose faults cost no other stream its state
                logger.exception("the state of stream %s could not be written", name, extra={"stream": name})

    async def write_stats(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.write_stats_once()

    async def write_stats_once(self) -> None:
        if self._unsaid is not None:
            self._unsaid_count -= 1
            self._tell(self._unsaid)
        for report in self._streams.reports():
            self._write_stats(report)
            # A report sorts some thousand durations, and the loop has packets to move.
            await asyncio.sleep(0)
        self._alarm.keep(self._streams.names)

    def _look_at(self, name: str) -> None:
        self._changed[name] = None
        self._woken.set()

    def _tell(self, event: StreamEvent) -> None:
        count: int | None = None
        if event.happening == "refused":
            count = self._unsaid_count + 1
            self._unsaid, self._unsaid_count, self._refused_at = None, 0, self._clock()
        told = Event(
            event=cast("Literal['refused']", event.happening),
            at=self._now(),
            reason=event.reason or None,
            count=count if count != 1 else None,
        )
        self._put_event(event.stream, told)

    def _put_event(self, stream: str, event: Event) -> None:
        self._outbox.put(Message("event", self._topics.of(stream, "events"), event.encode()))

    async def _write_state(self, name: str) -> None:
        topic = self._topics.of(name, "state")
        try:
            stream = self._streams.get(name)
        except UnknownStream:
            self._outbox.put(Message("state", topic, b""))
            if self._discovery is not None:
                self._outbox.put(Message("state", self._discovery.topic(name), b""))
            return
        publishers, steps = stream.publishers, stream.steps
        recording = any(each.kind == "recording" and each.state != "failed" for each in stream.outputs.reports())
        state = StreamState(
            state=cast("Literal['live']", stream.state),
            protocol=publishers[0].protocol if publishers else None,
            chain=[],
            recording=recording,
        )
        if steps:
            # Settings may be megabytes.
            state = state.model_copy(update={"chain": await asyncio.to_thread(_chain, steps)})
        self._outbox.put(Message("state", topic, state.encode()))
        if self._discovery is not None:
            self._outbox.put(Message("state", self._discovery.topic(name), self._discovery.document(name)))

    def _write_stats(self, report: StreamReport) -> None:
        stats = Stats(
            at=self._now(),
            viewers=report.viewers,
            fps_in=round(report.fps_in, 1),
            fps_out=round(report.fps_out, 1),
            kbps_in=round(report.kbps_in, 1),
            kbps_out=round(report.kbps_out, 1),
            latency_ms={
                stage: Latency(p50=round(each.p50, 2), p95=round(each.p95, 2), p99=round(each.p99, 2))
                for stage, each in report.latency_ms.items()
            },
            drops=dict(report.drops),
            load_level=report.load_level,
        )
        self._outbox.put(Message("stats", self._topics.of(report.stream, "stats"), stats.encode()))
        alarm = self._alarm.look(report.stream, report.drops, self._clock())
        if alarm is not None:
            more, rate = alarm
            self._put_event(report.stream, Event(event="drops", at=self._now(), drops=more, per_second=round(rate, 1)))

    def _now(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chain(steps: Sequence[Step]) -> list[StepState]:
    return [StepState(transform=step.key, settings=_short(step.settings.model_dump(mode="json"))) for step in steps]


def _short(settings: dict[str, Any]) -> dict[str, Any] | None:
    return settings if len(json.dumps(settings)) <= MAX_SETTINGS else None
