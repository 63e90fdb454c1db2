"""States, stats and events, as they are published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import model_serializer

from signaling.mqtt.discovery import Discovery
from signaling.mqtt.drop_alarm import DropAlarm
from signaling.mqtt.outbox import Outbox
from signaling.mqtt.reporter import Reporter
from stream.events import Happening, StreamEvent
from stream.report import OutputReport
from tests.signaling.mqtt import fakes
from tests.signaling.mqtt.fakes import TOPICS, Clock, FakeStreams
from transforms.base import Settings
from transforms.chain import Step

STATE, STATS, EVENTS = (TOPICS.of("anna", kind) for kind in ("state", "stats", "events"))
CONFIG = "homeassistant/device/doppel-edge/anna/config"


class Desk:
    def __init__(self, *, discovery: bool = False) -> None:
        self.streams = FakeStreams()
        self.outbox = Outbox(fakes.metrics())
        self.outbox.connected()
        self.clock = Clock(10**12)
        self.reporter = Reporter(
            TOPICS,
            self.streams,
            self.outbox,
            Discovery(TOPICS, "1.2", recordings=True) if discovery else None,
            interval=10.0,
            alarm=5.0,
            pause=0.0,
            clock=self.clock,
            wall=lambda: 1_767_225_600.5,
        )

    def happens(self, happening: Happening, stream: str = "anna", reason: str = "") -> None:
        self.reporter.on_event(StreamEvent(stream, happening, reason))

    async def sent(self) -> list[tuple[str, Any]]:
        messages = [await self.outbox.get() for _ in range(len(self.outbox))]
        return [(message.topic, json.loads(message.payload or b"null")) for message in messages]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_a_stream_that_changes_has_its_state_written_once(desk: Desk) -> None:
    anna = desk.streams.add("anna", steps=[Step.parse("anonymize", {"style": "solid"})])
    for _ in range(100):
        desk.happens("changed")
    await desk.reporter.write_changed()
    ((topic, state),) = await desk.sent()
    assert topic == STATE
    assert (state["state"], state["protocol"], state["recording"]) == ("live", "whip", False)
    assert state["chain"][0]["transform"] == "anonymize"
    assert state["chain"][0]["settings"]["style"] == "solid"
    anna.publishers, anna.state, anna.steps = [], "waiting", []
    anna.outputs.listed = [OutputReport("1", "recording", "running", "film.mp4", "")]
    desk.happens("changed")
    await desk.reporter.write_changed()
    assert await desk.sent() == [(STATE, {"state": "waiting", "chain": [], "recording": True})]
    anna.outputs.listed = [OutputReport("1", "recording", "failed", "film.mp4", "the disk is full")]
    desk.happens("changed")
    await desk.reporter.write_changed()
    assert (await desk.sent())[0][1]["recording"] is False
    await desk.reporter.write_changed()
    assert await desk.sent() == []


async def test_settings_that_hold_pictures_are_left_out(desk: Desk) -> None:
    settings = Step.parse("grade", {}).settings.model_copy(update={"lut": "x" * 5000})
    desk.streams.add("anna", steps=[Step("grade", settings), Step.parse("anonymize", {})])
    desk.happens("changed")
    await desk.reporter.write_changed()
    ((_, state),) = await desk.sent()
    assert state["chain"][0] == {"transform": "grade"}
    assert "settings" in state["chain"][1]


async def test_settings_that_cannot_be_written_cost_no_other_stream_its_state(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Settings):
        @model_serializer
        def write(self) -> str:
            raise RuntimeError("a plugin's fault")

    desk.streams.add("anna", steps=[Step("plugin", Broken())])
    desk.streams.add("bert")
    for name in ("anna", "bert"):
        desk.happens("changed", name)
    await desk.reporter.write_changed()
    assert [topic for topic, _ in await desk.sent()] == [TOPICS.of("bert", "state")]
    assert "state of stream anna could not be written" in caplog.text


async def test_what_is_over_is_cleared(desk: Desk) -> None:
    desk.happens("ended", reason="it was ended by request")
    await desk.reporter.write_changed()
    assert await desk.sent() == [
        (STATE, None),
        (EVENTS, {"event": "ended", "at": "2026-01-01T00:00:00.500Z", "reason": "it was ended by request"}),
    ]


@pytest.mark.parametrize("happening", ["published", "lost", "returned", "ended"])
async def test_what_happens_is_an_event(desk: Desk, happening: Happening) -> None:
    desk.happens(happening)
    assert [(topic, each["event"]) for topic, each in await desk.sent()] == [(EVENTS, happening)]


@pytest.mark.parametrize("happening", ["opened", "changed"])
async def test_what_only_changes_a_state_is_none(desk: Desk, happening: Happening) -> None:
    desk.happens(happening)
    assert await desk.sent() == []


async def test_refusals_are_told_once_a_second_with_their_count(desk: Desk) -> None:
    for number in range(50):
        desk.happens("refused", f"stream{number}", "one more stream than 16")
    first = await desk.sent()
    assert [(topic, event.get("count")) for topic, event in first] == [(TOPICS.of("stream0", "events"), None)]
    desk.clock.step(1.1)
    desk.happens("refused", "last", "one more stream than 16")
    ((topic, event),) = await desk.sent()
    assert (topic, event["count"]) == (TOPICS.of("last", "events"), 50)
    await desk.reporter.write_changed()
    assert await desk.sent() == []  # they have no state


async def test_refusals_that_were_not_told_are_told_with_the_stats(desk: Desk) -> None:
    for _ in range(3):
        desk.happens("refused")
    await desk.sent()
    await desk.reporter.write_stats_once()
    ((_, event),) = await desk.sent()
    assert (event["event"], event["count"]) == ("refused", 2)
    await desk.reporter.write_stats_once()
    assert await desk.sent() == []


async def test_stats(desk: Desk) -> None:
    desk.streams.add("anna", drops={"stale": 4})
    await desk.reporter.write_stats_once()
    ((topic, stats),) = await desk.sent()
    assert topic == STATS
    assert stats["latency_ms"]["total"] == {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    assert (stats["fps_in"], stats["fps_out"], stats["viewers"], stats["drops"]) == (30.0, 30.0, 3, {"stale": 4})


async def test_drops_over_the_threshold_are_an_event_when_they_begin(desk: Desk) -> None:
    anna = desk.streams.add("anna", drops={"stale": 1000})

    async def next_look(stale: int, behind: int = 0) -> list[Any]:
        anna.drops = {"stale": stale, "behind": behind}
        desk.clock.step(10)
        await desk.reporter.write_stats_once()
        return [event for topic, event in await desk.sent() if topic == EVENTS]

    assert await next_look(1000) == []  # what was before is no beginning
    assert await next_look(1050) == []  # 5 a second may be
    (event,) = await next_look(1080, 30)
    assert (event["event"], event["drops"], event["per_second"]) == ("drops", {"stale": 30, "behind": 30}, 6.0)
    assert await next_look(1200, 30) == []  # it goes on
    assert await next_look(1200, 30) == []
    assert len(await next_look(1300, 30)) == 1


def test_the_alarm_forgets_streams_that_are_over() -> None:
    alarm = DropAlarm(1.0)
    alarm.look("anna", {"stale": 0}, 0)
    alarm.keep([])
    assert alarm.look("anna", {"stale": 100}, 10**9) is None


async def test_what_an_earlier_run_left_is_cleared(desk: Desk) -> None:
    desk.streams.add("anna")
    for topic in (STATE, TOPICS.of("gone", "state"), "doppel/other/streams/gone/state", CONFIG, "doppel/edge/status"):
        desk.reporter.found(topic)
    assert await desk.sent() == [(TOPICS.of("gone", "state"), None)]


async def test_home_assistant_is_told_of_each_stream() -> None:
    desk = Desk(discovery=True)
    desk.streams.add("anna")
    desk.happens("published")
    await desk.reporter.write_changed()
    sent = dict(await desk.sent())
    device = sent[CONFIG]
    assert device["origin"] == {"name": "doppel", "sw_version": "1.2"}
    assert device["availability"][0]["topic"] == TOPICS.status
    parts = device["components"]
    assert {key: part["platform"] for key, part in parts.items()} == {"state": "sensor", "fps": "sensor", "recording": "switch"}
    assert (parts["state"]["state_topic"], parts["fps"]["state_topic"]) == (STATE, STATS)
    assert len({part["unique_id"] for part in parts.values()}) == 3
    assert parts["recording"]["command_topic"] == TOPICS.of("anna", "set")
    assert json.loads(parts["recording"]["payload_on"]) == {"command": "record", "action": "start"}
    del desk.streams.streams["anna"]
    desk.happens("ended")
    await desk.reporter.write_changed()
    assert (CONFIG, None) in await desk.sent()
    desk.reporter.found("homeassistant/device/doppel-edge/gone/config")
    assert await desk.sent() == [("homeassistant/device/doppel-edge/gone/config", None)]


def test_without_recordings_there_is_no_switch() -> None:
    device = json.loads(Discovery(TOPICS, "1.2", recordings=False).document("anna"))
    assert sorted(device["components"]) == ["fps", "state"]
