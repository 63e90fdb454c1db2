"""A node, its broker that goes and comes, and time that is told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from signaling.mqtt.backoff import Backoff
from signaling.mqtt.desk import Desk
from signaling.mqtt.discovery import Discovery
from signaling.mqtt.executor import Executor
from signaling.mqtt.limits import SWEEP, WINDOW
from signaling.mqtt.message import LinkLost, Message, Received
from signaling.mqtt.node import Node
from signaling.mqtt.outbox import Outbox
from signaling.mqtt.reporter import Reporter
from stream.events import StreamEvent
from tests.signaling.mqtt import fakes
from tests.signaling.mqtt.fakes import TOPICS, Clock, FakeBroker, FakeLink, FakeStreams, settle

ONLINE = {"state": "online", "version": "1.2"}


class House:
    def __init__(self, links: Sequence[FakeLink | Exception]) -> None:
        self.streams = FakeStreams()
        self.metrics = fakes.metrics()
        self.outbox = Outbox(self.metrics, capacity=8)
        self.clock = Clock()
        self.broker = FakeBroker(*links)
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        discovery = Discovery(TOPICS, "1.2", recordings=True)
        self.reporter = Reporter(
            TOPICS, self.streams, self.outbox, discovery, interval=3600.0, alarm=5.0, pause=0.0, clock=self.clock
        )
        self.node = Node(
            TOPICS,
            "1.2",
            open=self.broker.open,
            outbox=self.outbox,
            desk=Desk(TOPICS, Executor(self.streams).run, self.outbox, self.metrics),
            reporter=self.reporter,
            discovery=discovery,
            metrics=self.metrics,
            backoff=Backoff(random=lambda: 0.0),
            clock=self.clock,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        awake = asyncio.Event()
        self._sleepers.append((seconds, awake))
        await awake.wait()

    async def passes(self) -> None:
        """As much time as everybody waits for."""
        sleepers, self._sleepers = self._sleepers, []
        for seconds, awake in sleepers:
            self.clock.step(seconds)
            awake.set()
        await settle()

    def opens(self, name: str) -> None:
        self.streams.add(name)
        self.reporter.on_event(StreamEvent(name, "published"))

    def ends(self, name: str) -> None:
        del self.streams.streams[name]
        self.reporter.on_event(StreamEvent(name, "ended"))

    @property
    def connected(self) -> float:
        return float(self.metrics.connected._value.get())


@asynccontextmanager
async def running(*links: FakeLink | Exception) -> AsyncIterator[House]:
    house = House(links)
    house.node.start()
    await settle()
    yield house
    await house.node.close()


def retained(stream: str) -> Received:
    return Received(TOPICS.of(stream, "state"), b'{"state": "live"}', retained=True)


async def test_it_says_that_it_is_there_and_leaves_a_last_will() -> None:
    link = FakeLink()
    async with running(link) as house:
        identifier, will = house.broker.opened[0]
        assert identifier == "doppel-edge"
        assert (will.topic, json.loads(will.payload), will.retain) == (TOPICS.status, {"state": "offline"}, True)
        assert json.loads(link.last(TOPICS.status) or b"") == ONLINE
        assert house.connected == 1
        assert (TOPICS.of("+", "set"), False) in link.subscribed
    assert json.loads(link.last(TOPICS.status) or b"") == {"state": "offline"}
    assert house.connected == 0


async def test_streams_are_published_and_cleared() -> None:
    link = FakeLink()
    async with running(link) as house:
        house.opens("anna")
        await settle()
        assert json.loads(link.last(TOPICS.of("anna", "state")) or b"")["state"] == "live"
        house.ends("anna")
        await settle()
        assert link.last(TOPICS.of("anna", "state")) == b""


async def test_after_a_reconnect_the_retained_state_is_right() -> None:
    """The broker forgot some, kept some, and streams came and went meanwhile."""
    first, second = FakeLink(), FakeLink([retained("gone"), retained("stays"), retained("of-an-earlier-run")])
    async with running(first, second) as house:
        for name in ("gone", "stays"):
            house.opens(name)
        await settle()
        first.cut()
        await settle()
        assert house.connected == 0
        house.ends("gone")
        house.opens("new")
        await settle()
        await house.passes()
        assert house.connected == 1
        for name in ("stays", "new"):
            assert json.loads(second.last(TOPICS.of(name, "state")) or b"")["state"] == "live"
            assert second.last(f"homeassistant/device/doppel-edge/{name}/config")
        for name in ("gone", "of-an-earlier-run"):
            assert second.last(TOPICS.of(name, "state")) == b""
        assert json.loads(second.last(TOPICS.status) or b"") == ONLINE
        events = [json.loads(each.payload)["event"] for each in second.published if each.kind == "event"]
        assert events == ["ended", "published"]


async def test_it_looks_for_what_is_left_only_for_a_while() -> None:
    link = FakeLink()
    async with running(link) as house:
        assert link.subscribed == [
            (TOPICS.of("+", "set"), False),
            (TOPICS.of("+", "state"), True),
            ("homeassistant/device/doppel-edge/+/config", True),
        ]
        assert house.slept == [SWEEP]
        await house.passes()
        assert link.subscribed == [(TOPICS.of("+", "set"), False)]


async def test_it_tries_again_and_again_and_complains_once(caplog: pytest.LogCaptureFixture) -> None:
    lost = [LinkLost("connection refused") for _ in range(3)]
    link = FakeLink()
    with caplog.at_level(logging.WARNING):
        async with running(*lost, LinkLost("bad password"), link) as house:
            for _ in range(4):
                await house.passes()
            assert house.slept[:4] == [0.5, 1, 2, 4]
            assert house.connected == 1
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "connection refused" in said[0]
    assert "bad password" in said[1]


async def test_a_fault_of_ours_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    link = FakeLink()
    async with running(RuntimeError("a fault"), link) as house:
        await house.passes()
        assert house.connected == 1
    assert "MQTT failed, and begins again" in caplog.text


async def test_what_the_broker_did_not_acknowledge_is_sent_again_in_order() -> None:
    first, second = FakeLink(), FakeLink()
    async with running(first, second) as house:
        first.acknowledges.clear()
        for number in range(5):
            house.outbox.put(Message("reply", "r", str(number).encode()))
        await settle()
        first.cut()
        await settle()
        await house.passes()
        assert [each.payload for each in second.published if each.kind == "reply"] == [b"0", b"1", b"2", b"3", b"4"]


async def test_only_so_many_are_on_their_way_at_once() -> None:
    link = FakeLink()
    async with running(link) as house:
        link.acknowledges.clear()
        for number in range(WINDOW + 5):
            house.outbox.put(Message("state", f"t{number}", b"x"))
        await settle()
        assert len(house.outbox) == 5
        link.acknowledges.set()
        await settle()
        assert len(house.outbox) == 0
        assert [each.topic for each in link.published if each.topic.startswith("t")] == [f"t{n}" for n in range(WINDOW + 5)]


async def test_commands_come_in_and_answers_go_out() -> None:
    link = FakeLink()
    async with running(link) as house:
        house.opens("anna")
        link.deliver(Received(TOPICS.of("anna", "set"), b'{"id": "7", "command": "record", "action": "start"}'))
        link.deliver(Received("somewhere/else", b"{}"))
        await settle()
        (answer,) = [json.loads(each.payload) for each in link.published if each.kind == "reply"]
        assert (answer["id"], answer["status"], answer["target"]) == ("7", 200, "film0.mp4")


async def test_a_retained_command_is_not_done_however_often_the_node_connects() -> None:
    stop = Received(TOPICS.of("anna", "set"), b'{"command": "stop"}', retained=True)
    links = [FakeLink(), FakeLink()]
    async with running(*links) as house:
        house.opens("anna")
        for link in links:
            link.deliver(stop)
            await settle()
            link.cut()
            await settle()
            await house.passes()
        assert house.streams.ended == []


async def test_closing_without_a_broker_takes_no_time() -> None:
    async with running(LinkLost("nobody there")) as house:
        house.opens("anna")
    assert house.connected == 0


async def test_closing_waits_for_what_ended_last() -> None:
    link = FakeLink()
    async with running(link) as house:
        house.opens("anna")
        await settle()
        house.ends("anna")  # as the server's shutdown does, just before
    assert link.last(TOPICS.of("anna", "state")) == b""
    assert link.published[-1].topic == TOPICS.status
