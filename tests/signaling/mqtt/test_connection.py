"""aiomqtt against a broker in this process, which can be killed, and can misbehave."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signaling.mqtt import connection
from signaling.mqtt import node as node_module
from signaling.mqtt.backoff import Backoff
from signaling.mqtt.connection import connect, opener
from signaling.mqtt.desk import Desk
from signaling.mqtt.executor import Executor
from signaling.mqtt.message import Link, LinkLost, Message, Received
from signaling.mqtt.node import Node
from signaling.mqtt.outbox import Outbox
from signaling.mqtt.reporter import Reporter
from stream.events import StreamEvent
from tests.signaling.mqtt import fakes
from tests.signaling.mqtt.broker import Broker
from tests.signaling.mqtt.fakes import TOPICS, FakeStreams

WILL = Message("state", TOPICS.status, b'{"state":"offline"}')
STATE, SET = TOPICS.of("anna", "state"), TOPICS.of("anna", "set")


def address(broker: Broker, password: str | None = None) -> connection.Broker:
    return connection.Broker("127.0.0.1", broker.port, "doppel" if password else None, password)


def sockets() -> int:
    return sum(os.path.realpath(f"/proc/self/fd/{each}").find("socket:") >= 0 for each in os.listdir("/proc/self/fd"))


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    broker = Broker()
    await broker.start()
    yield broker
    await broker.stop()


@asynccontextmanager
async def line(broker: Broker) -> AsyncIterator[Link]:
    async with connect(address(broker), "doppel-edge", WILL) as link:
        yield link


async def test_messages_go_out_as_they_are_meant(broker: Broker) -> None:
    async with line(broker) as link:
        await link.publish(Message("state", STATE, b"1"))
        await link.publish(Message("stats", "stats", b"2"))
        await link.publish(Message("reply", "reply", b"3", b"corr"))
        (stats,) = await broker.until("stats")
        (reply,) = await broker.until("reply")
    assert broker.retained[STATE].payload == b"1"
    assert (stats.qos, stats.retain, stats.properties) == (0, False, b"")
    assert (reply.qos, reply.retain, reply.properties) == (1, False, b"\x09\x00\x04corr")


async def test_many_at_once_keep_their_order(broker: Broker) -> None:
    async with line(broker) as link:
        await asyncio.gather(*(link.publish(Message("event", "e", str(number).encode())) for number in range(100)))
    assert [each.payload for each in broker.published] == [str(number).encode() for number in range(100)]


async def test_commands_come_in_with_where_their_answer_is_wanted(broker: Broker) -> None:
    async with line(broker) as link:
        await link.subscribe(TOPICS.of("+", "set"), kept=False)
        await broker.publish(SET, b"{}", properties=b"\x08\x00\x03me!" + b"\x09\x00\x02id")
        await broker.publish(SET, b"", retain=True)
        received = [each async for each in _first(link, 2)]
    assert received == [Received(SET, b"{}", False, "me!", b"id"), Received(SET, b"", True)]


async def test_of_a_burst_nothing_is_lost(broker: Broker) -> None:
    async with line(broker) as link:
        await link.subscribe(TOPICS.of("+", "set"), kept=False)
        for number in range(1000):
            await broker.publish(SET, str(number).encode())
        assert [int(each.payload) async for each in _first(link, 1000)] == list(range(1000))


async def test_what_is_retained_comes_only_where_it_is_wanted(broker: Broker) -> None:
    for topic in (STATE, SET):
        await broker.publish(topic, b"old", retain=True)
    async with line(broker) as link:
        await link.subscribe(TOPICS.of("+", "set"), kept=False)
        await link.subscribe(TOPICS.of("+", "state"), kept=True)
        received = [each async for each in _first(link, 1)]
        assert received == [Received(STATE, b"old", True)]
        await link.unsubscribe(TOPICS.of("+", "state"))
        await broker.publish(STATE, b"not wanted")
        await broker.publish(SET, b"wanted")
        assert [each.payload async for each in _first(link, 1)] == [b"wanted"]


async def test_who_leaves_without_a_word_has_the_broker_say_it(broker: Broker) -> None:
    async with line(broker) as link:
        await link.publish(Message("state", TOPICS.status, b'{"state":"online"}'))
    _, will = await broker.until(TOPICS.status, 2)
    assert (will.payload, will.retain, broker.sessions) == (WILL.payload, True, [])


async def test_who_is_cut_off_leaves_its_will_and_is_told(broker: Broker) -> None:
    async with line(broker) as link:
        broker.sessions[0].writer.transport.abort()
        with pytest.raises(LinkLost):
            await anext(link.received())
    (will,) = await broker.until(TOPICS.status)
    assert (will.payload, will.retain) == (b'{"state":"offline"}', True)


async def test_publishing_on_a_lost_line_says_so(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BROKER_TIMEOUT", 0.1)
    async with line(broker) as link:
        broker.sessions[0].writer.transport.abort()
        with pytest.raises(LinkLost):
            await link.publish(Message("event", "e", b"x"))


async def test_a_wrong_password_is_refused_and_not_told() -> None:
    broker = Broker("right-s3cret")
    await broker.start()
    before = sockets()
    try:
        with pytest.raises(LinkLost) as lost:
            async with connect(address(broker, "wrong-s3cret"), "x", WILL):
                raise AssertionError
        assert "s3cret" not in str(lost.value)
        assert "user name or password" in str(lost.value)
        async with connect(address(broker, "right-s3cret"), "x", WILL):
            pass
    finally:
        await broker.stop()
    assert sockets() <= before
    assert "s3cret" not in repr(address(broker, "right-s3cret"))


async def test_nobody_there() -> None:
    with pytest.raises(LinkLost, match="refused"):
        async with connect(connection.Broker("127.0.0.1", 1), "x", WILL):
            raise AssertionError


async def test_a_broker_that_says_nothing_is_given_up_and_no_socket_stays(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BROKER_TIMEOUT", 0.1)
    broker.mute = True
    with pytest.raises(LinkLost, match="timed out"):
        async with line(broker):
            raise AssertionError
    async with asyncio.timeout(5):
        while broker.sessions:  # noqa: ASYNC110 - nobody tells of an end
            await asyncio.sleep(0.01)


async def test_who_stops_while_connecting_leaves_no_socket(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BROKER_TIMEOUT", 0.5)
    broker.mute = True

    async def hold() -> None:
        async with line(broker):
            raise AssertionError

    holding = asyncio.create_task(hold())
    async with asyncio.timeout(5):
        while not broker.sessions:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    broker.mute = False
    async with asyncio.timeout(10):
        while broker.sessions:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def test_a_broker_that_is_killed_and_back_has_the_right_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_module, "SWEEP", 0.2)
    broker, streams, metrics = Broker(), FakeStreams(), fakes.metrics()
    await broker.start()
    await broker.publish(TOPICS.of("of-an-earlier-run", "state"), b"{}", retain=True)
    outbox = Outbox(metrics)
    reporter = Reporter(TOPICS, streams, outbox, None, interval=3600.0, alarm=5.0, pause=0.0)
    node = Node(
        TOPICS,
        "1.2",
        open=opener(address(broker)),
        outbox=outbox,
        desk=Desk(TOPICS, Executor(streams).run, outbox, metrics),
        reporter=reporter,
        discovery=None,
        metrics=metrics,
        backoff=Backoff(random=lambda: 0.9),
    )
    node.start()
    try:
        for name in ("anna", "bert"):
            streams.add(name)
            reporter.on_event(StreamEvent(name, "published"))
        await broker.until(STATE)
        await broker.until(TOPICS.of("of-an-earlier-run", "state"), payload=b"")
        await broker.stop()
        del streams.streams["bert"]
        reporter.on_event(StreamEvent("bert", "ended"))
        streams.streams["anna"].state = "waiting"
        reporter.on_event(StreamEvent("anna", "lost"))
        broker.published.clear()
        await broker.publish(TOPICS.of("bert", "state"), b'{"state":"live"}', retain=True)  # it keeps things on a disk
        await broker.start()
        await broker.until(TOPICS.of("bert", "state"), payload=b"")
        await broker.until(STATE)
        assert {topic: json.loads(kept.payload) for topic, kept in broker.retained.items()} == {
            STATE: {"state": "waiting", "protocol": "whip", "chain": [], "recording": False},
            TOPICS.status: {"state": "online", "version": "1.2"},
        }
    finally:
        await node.close()
        await broker.until(TOPICS.status, payload=b'{"state":"offline"}')
        await broker.stop()


async def _first(link: Link, count: int) -> AsyncIterator[Received]:
    received = link.received()
    async with asyncio.timeout(5):
        for _ in range(count):
            yield await anext(received)
