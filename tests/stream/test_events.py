"""What is told of streams, to whoever watches over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from stream.errors import NoRoom, StreamExists
from stream.events import MAX_OBSERVERS, Observers, StreamEvent
from stream.outputs import OutputRules, Outputs, RecordingWanted
from tests.stream.client import PATIENCE
from tests.stream.conftest import House

Open = Callable[..., Awaitable[House]]


async def test_a_streams_life_is_told(open_house: Open) -> None:
    house = await open_house(max_streams=1)
    told: list[StreamEvent] = []
    more = asyncio.Event()

    def tell(event: StreamEvent) -> None:
        told.append(event)
        more.set()

    def happened() -> list[str]:
        return [event.happening for event in told]

    async def until(happening: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while happening not in happened():
                more.clear()
                await more.wait()

    house.streams.observe(tell)

    publisher = house.client(role="publish")
    await publisher.connect(house.sessions, "anna", None)
    watcher = house.client(role="watch")
    await until("published")
    await watcher.connect(house.sessions, "anna")
    await watcher.more()
    assert happened()[:2] == ["opened", "published"]
    assert told[1] == StreamEvent("anna", "published", "by whip")

    await house.streams.set_chain("anna", [])
    assert happened()[2:] == ["changed"]

    with pytest.raises(StreamExists):
        house.streams.open("anna", exclusive=True)
    with pytest.raises(NoRoom):
        house.streams.open("bert")
    assert [(event.stream, event.happening) for event in told[3:]] == [("anna", "refused"), ("bert", "refused")]

    await publisher.vanish()
    await until("lost")
    again = house.client(role="publish")
    await again.connect(house.sessions, "anna", None)
    await until("returned")

    await house.streams.end(house.streams.get("anna"), "enough")
    assert told[-1] == StreamEvent("anna", "ended", "enough")
    assert house.streams.names == []


async def test_outputs_tell_when_there_are_others(tmp_path: Path) -> None:
    changes: list[str] = []

    async def detach(*_: object) -> None:
        return None

    outputs = Outputs("anna", OutputRules(tmp_path), attach=lambda _: None, detach=detach, changed=lambda: changes.append(""))
    report = await outputs.add(RecordingWanted())
    assert len(changes) == 1
    egress = outputs._entries[report.id].egress
    await outputs.end(report.id)
    assert len(changes) == 2
    await egress.close("the test is over")


def test_observers_are_bounded() -> None:
    observers = Observers()
    for _ in range(MAX_OBSERVERS):
        observers.add(lambda event: None)
    with pytest.raises(AssertionError):
        observers.add(lambda event: None)
