"""Commands are done in their order, answered, and bounded."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from signaling.errors import Conflict
from signaling.mqtt.commands import Command
from signaling.mqtt.desk import Desk
from signaling.mqtt.limits import INLINE, MAX_COMMAND_BYTES, MAX_PAYLOAD
from signaling.mqtt.message import Received
from signaling.mqtt.outbox import Outbox
from stream.errors import UnknownStream
from stream.outputs import OutputRefused
from tests.signaling.mqtt import fakes
from transforms.errors import InvalidSettings, ModelUnavailable


class Service:
    """A desk, what it runs, and what it answered."""

    def __init__(self, patience: float = 10.0, capacity: int = 3) -> None:
        self.ran: list[tuple[str, str | None]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.metrics = fakes.metrics()
        self.outbox = Outbox(self.metrics)
        self.desk = Desk(
            fakes.TOPICS, self.run, self.outbox, self.metrics, capacity=capacity, patience=patience, clock=fakes.Clock()
        )

    async def run(self, name: str, command: Command) -> str | None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.ran.append((name, command.id))
        return "film.mp4" if command.command == "record" else None

    def send(self, document: Any = None, stream: str = "anna", **values: Any) -> None:
        payload = document if isinstance(document, bytes) else json.dumps(document or {"command": "stop", "id": "1"}).encode()
        self.desk.take(stream, Received(f"doppel/edge/streams/{stream}/set", payload, **values))

    async def answer(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.outbox.get(), 5)
        assert (message.kind, message.topic) == ("reply", "doppel/edge/replies")
        answer: dict[str, Any] = json.loads(message.payload)
        return answer

    def count(self, result: str) -> float:
        return float(self.metrics.commands[result]._value.get())


@asynccontextmanager
async def working(**values: Any) -> AsyncIterator[Service]:
    service = Service(**values)
    task = asyncio.create_task(service.desk.work())
    yield service
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_command_is_done_and_answered_with_its_id() -> None:
    async with working() as service:
        service.send({"command": "record", "action": "start", "id": "a1"})
        assert await service.answer() == {
            "id": "a1",
            "stream": "anna",
            "command": "record",
            "status": 200,
            "title": "OK",
            "target": "film.mp4",
        }
        assert service.count("done") == 1


async def test_commands_to_all_streams_are_done_in_their_order() -> None:
    async with working(capacity=40) as service:
        service.gate.clear()
        for number in range(40):
            service.send({"command": "stop", "id": str(number)}, stream=f"stream{number % 4}")
        service.gate.set()
        assert [(await service.answer())["id"] for _ in range(40)] == [str(number) for number in range(40)]
        assert service.ran == [(f"stream{number % 4}", str(number)) for number in range(40)]


async def test_one_that_takes_a_thread_does_not_change_the_order() -> None:
    async with working() as service:
        service.send({"command": "settings", "transform": "x", "settings": {"image": "x" * INLINE}, "id": "long"})
        service.send({"command": "stop", "id": "short"})
        assert [(await service.answer())["id"] for _ in range(2)] == ["long", "short"]


async def test_one_more_than_may_wait_is_answered_busy_at_once() -> None:
    service = Service(capacity=3)
    for number in range(4):
        service.send({"command": "stop", "id": str(number)})
    answer = await service.answer()
    assert (answer["id"], answer["status"]) == ("3", 503)
    assert "busy" in answer["detail"].lower()
    assert service.count("busy") == 1
    assert service.ran == []


async def test_commands_that_wait_have_a_bound_of_bytes_too() -> None:
    service = Service(capacity=100)
    for _ in range(MAX_COMMAND_BYTES // MAX_PAYLOAD):
        service.send(b" " * MAX_PAYLOAD)
    assert len(service.outbox) == 0
    service.send()
    assert (await service.answer())["status"] == 503


async def test_one_that_is_too_long_is_not_read() -> None:
    service = Service()
    service.send(b" " * (MAX_PAYLOAD + 1))
    assert (await service.answer())["status"] == 413


async def test_a_retained_command_is_not_done() -> None:
    async with working() as service:
        service.send(retained=True)
        answer = await service.answer()
        assert (answer["id"], answer["status"]) == ("1", 422)
        assert "retain" in answer["detail"]
        await fakes.settle()
        assert service.ran == []


async def test_what_is_no_command_is_answered_in_words() -> None:
    async with working() as service:
        service.send(b"ON")
        answer = await service.answer()
        assert (answer["status"], answer["title"]) == (400, "Bad Request")
        assert answer["detail"].startswith("This is not JSON")
        service.send({"command": "explode", "id": "b"})
        answer = await service.answer()
        assert (answer["id"], answer["status"]) == ("b", 422)
        assert service.count("invalid") == 2


@pytest.mark.parametrize(
    ("error", "status", "result"),
    [
        (UnknownStream("there is no stream 'anna'"), 404, "refused"),
        (Conflict("the chain has no step"), 409, "refused"),
        (OutputRefused("recording is off"), 422, "refused"),
        (InvalidSettings("settings do not fit"), 422, "refused"),
        (ModelUnavailable("no model"), 503, "refused"),
        (RuntimeError("s3cret"), 500, "failed"),
    ],
)
async def test_what_goes_wrong_is_told_and_the_next_is_done(error: Exception, status: int, result: str) -> None:
    async with working() as service:
        service.error = error
        service.send()
        answer = await service.answer()
        assert (answer["id"], answer["status"]) == ("1", status)
        assert answer["detail"].endswith(".")
        assert "s3cret" not in answer["detail"]
        assert service.count(result) == 1
        service.error = None
        service.send()
        assert (await service.answer())["status"] == 200


async def test_one_that_takes_too_long_goes_on_by_itself_and_lets_the_next_come(caplog: pytest.LogCaptureFixture) -> None:
    async with working(patience=0.0) as service:
        service.gate.clear()
        service.send({"command": "stop", "id": "slow"})
        answer = await service.answer()
        assert (answer["id"], answer["status"], service.count("late")) == ("slow", 202, 1)
        service.gate.set()
        await fakes.settle()
        assert service.ran == [("anna", "slow")]
        service.gate.clear()
        service.send({"command": "stop", "id": "fails"})
        await service.answer()
        service.error = Conflict("not as things are")
        with caplog.at_level(logging.WARNING):
            service.gate.set()
            await fakes.settle()
        assert "which took long, failed: not as things are" in caplog.text


async def test_those_that_go_on_by_themselves_end_with_the_desk() -> None:
    async with working(patience=0.0) as service:
        service.gate.clear()
        service.send()
        await service.answer()
    service.gate.set()
    await fakes.settle()
    assert service.ran == []


@pytest.mark.parametrize(
    ("wanted", "topic"),
    [
        ("clients/7/answers", "clients/7/answers"),
        (None, "doppel/edge/replies"),
        ("", "doppel/edge/replies"),
        ("a/+/b", "doppel/edge/replies"),
        ("#", "doppel/edge/replies"),
        ("$SYS/x", "doppel/edge/replies"),
        ("a\0b", "doppel/edge/replies"),
        ("x" * 257, "doppel/edge/replies"),
        ("doppel/other/streams/anna/set", "doppel/edge/replies"),
        ("doppel/edge/status", "doppel/edge/replies"),
        ("homeassistant/device/x/config", "doppel/edge/replies"),
    ],
)
async def test_an_answer_goes_where_it_is_wanted_but_not_among_the_topics_of_nodes(wanted: str | None, topic: str) -> None:
    async with working() as service:
        service.send(response_topic=wanted, correlation=b"7")
        message = await asyncio.wait_for(service.outbox.get(), 5)
        assert (message.topic, message.correlation, message.retain) == (topic, b"7", False)
