"""What is dropped while the broker is away, and what never is."""

from __future__ import annotations

import asyncio

from signaling.mqtt.message import Kind, Message
from signaling.mqtt.outbox import Outbox
from tests.signaling.mqtt import fakes


def box(capacity: int = 4, clears: int = 2) -> Outbox:
    outbox = Outbox(fakes.metrics(), capacity, clears)
    outbox.connected()
    return outbox


def message(kind: Kind, payload: str, topic: str = "t") -> Message:
    return Message(kind, topic, payload.encode())


async def drain(outbox: Outbox) -> list[str]:
    return [(await outbox.get()).payload.decode() for _ in range(len(outbox))]


def dropped(outbox: Outbox, kind: Kind) -> float:
    return float(outbox._metrics.dropped[kind]._value.get())


async def test_states_go_first_then_replies_events_and_stats() -> None:
    outbox = box()
    for kind in ("stats", "event", "reply", "state"):
        outbox.put(message(kind, kind))
    assert await drain(outbox) == ["state", "reply", "event", "stats"]


async def test_only_the_newest_state_of_a_topic_is_sent() -> None:
    outbox = box()
    for number in range(100):
        outbox.put(message("state", f"a{number}", "a"))
        outbox.put(message("state", f"b{number}", "b"))
    assert await drain(outbox) == ["a99", "b99"]


async def test_the_oldest_stats_are_dropped_first_then_events_then_replies() -> None:
    outbox = box(capacity=4)
    for kind in ("reply", "event", "stats", "stats"):
        outbox.put(message(kind, f"{kind}-{len(outbox)}"))
    outbox.put(message("event", "second"))
    outbox.put(message("event", "third"))
    assert (dropped(outbox, "stats"), dropped(outbox, "event")) == (2, 0)
    outbox.put(message("event", "fourth"))
    assert dropped(outbox, "event") == 1
    for number in range(4):
        outbox.put(message("reply", f"new-{number}"))
    assert await drain(outbox) == ["new-0", "new-1", "new-2", "new-3"]
    assert (dropped(outbox, "event"), dropped(outbox, "reply")) == (4, 1)


async def test_a_state_is_never_dropped_however_much_waits() -> None:
    outbox = box(capacity=2)
    for number in range(500):
        outbox.put(message("state", str(number), f"stream{number}"))
        outbox.put(message("stats", "x"))
    assert len(outbox) == 502
    assert (await drain(outbox))[:500] == [str(number) for number in range(500)]


async def test_get_waits_for_what_comes() -> None:
    outbox = box()
    getting = asyncio.create_task(outbox.get())
    await fakes.settle()
    assert not getting.done()
    outbox.put(message("event", "now"))
    assert (await getting).payload == b"now"


async def test_what_the_broker_did_not_get_is_sent_again_in_its_place() -> None:
    outbox = box(capacity=3)
    taken = [message("state", "old", "a"), message("state", "kept", "b"), message("reply", "1"), message("reply", "2")]
    outbox.put(message("state", "new", "a"))
    outbox.put(message("reply", "3"))
    outbox.restore(taken)
    assert await drain(outbox) == ["kept", "new", "1", "2", "3"]


async def test_what_is_sent_again_has_its_bound_too() -> None:
    outbox = box(capacity=2)
    outbox.put(message("event", "3"))
    outbox.restore([message("event", "1"), message("event", "2")])
    assert await drain(outbox) == ["2", "3"]
    assert dropped(outbox, "event") == 1


async def test_clearing_is_left_to_the_next_connection_while_there_is_none() -> None:
    outbox = box()
    outbox.put(message("state", "", "over"))
    outbox.put(message("state", "live", "a"))
    outbox.disconnected()
    outbox.put(message("state", "", "a"))
    outbox.put(message("state", "", "b"))
    assert len(outbox) == 0


async def test_topics_that_wait_for_being_cleared_have_a_bound() -> None:
    outbox = box(clears=2)
    for name in ("a", "b", "c", "a"):
        outbox.put(message("state", "", name))
    assert len(outbox) == 2
    outbox.put(message("state", "back", "a"))
    outbox.put(message("state", "", "c"))
    assert await drain(outbox) == ["back", "", ""]
