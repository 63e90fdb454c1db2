from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.frame_queue import Drops
from stream.limits import MILLISECOND, SECOND
from stream.sound.limits import QUEUE_PACKETS
from stream.sound.opus import duration
from stream.sound.packet import SoundPacket
from stream.sound.sound import Sound
from stream.sound.worker import Worker
from tests.stream.sound.clock import Clock
from tests.stream.sound.media import aac, clicks, heard, onsets, opus
from transforms.audio import Recent

PATIENCE = 10.0
"""s for a thread on a busy machine."""


class Heard:
    """A stream's sound, and what came of it."""

    def __init__(self, delay: int = 0) -> None:
        self.behind = 0.0
        self.clock = Clock()
        self.drops = Drops()
        self.out: list[SoundPacket] = []
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.sound = Sound(
            deliver=self.out.append,
            delay=lambda: delay,
            behind=lambda: self.behind,
            drops=self.drops,
            call_later=self.clock.call_later,
            call_soon_threadsafe=self.calls.put,
            clock=self.clock,
            name="test",
        )

    def put(self, packets: list[SoundPacket]) -> None:
        for packet in packets:
            self.sound.put(packet)

    def take(self, count: int) -> None:
        """Does what the thread asked the loop for, until so many packets came out."""
        while len(self.out) < count:
            self.calls.get(timeout=PATIENCE)()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "test-sound"]


@pytest.fixture
async def ear() -> AsyncIterator[Heard]:
    ear = Heard()
    yield ear
    await ear.sound.close()
    assert threads() == []


async def test_opus_goes_on_untouched_and_without_a_thread(ear: Heard) -> None:
    packets = [replace(packet, received=ear.clock.now) for packet in opus(clicks(0.5, [], 48_000))]
    ear.put(packets)
    assert ear.out == packets
    assert (ear.sound.codec, ear.sound.transcoded, ear.sound.delay_ms) == ("OPUS", False, 0)
    assert threads() == []


async def test_what_pictures_show_late_is_heard_late_and_put_later_in_time() -> None:
    ear = Heard(delay=45 * MILLISECOND)
    ear.behind = 0.14
    packets = [replace(packet, received=ear.clock.now) for packet in opus(clicks(0.1, [], 48_000))]
    due = ear.clock.now + 185 * MILLISECOND
    ear.put(packets)
    ear.clock.run(due - 2 * MILLISECOND)
    assert ear.out == []
    ear.clock.run(due)
    assert [packet.pts for packet in ear.out] == [packet.pts + 6720 for packet in packets]
    assert ear.sound.delay_ms == 185
    # It ends: the time that was heard already is not heard again.
    ear.behind = 0.0
    ear.put([replace(packet, received=due) for packet in packets])
    ear.clock.run(due + SECOND)
    assert len(ear.out) == len(packets)
    assert ear.drops.snapshot() == {"sound_late": len(packets)}


async def test_it_is_held_back_as_long_as_pictures_take() -> None:
    ear = Heard(delay=45 * MILLISECOND)
    packet = replace(opus(clicks(0.1, [], 48_000))[0], received=ear.clock.now)
    ear.put([packet])
    ear.clock.run(ear.clock.now + 43 * MILLISECOND)
    assert ear.out == []
    ear.clock.run(ear.clock.now + 2 * MILLISECOND)
    assert ear.out == [packet]
    assert ear.sound.delay_ms == 45
    await ear.sound.close()


async def test_aac_becomes_opus(ear: Heard) -> None:
    ear.clock.now = 1000 * SECOND
    packets = aac(clicks(0.9, [0.5], 44_100), 44_100)
    for at in range(0, len(packets), 10):
        ear.put(packets[at : at + 10])
        ear.take((at + 10) * 1024 * 480 // 441 // 960 - 1 if at + 10 < len(packets) else 43)
    assert onsets(*heard(ear.out)) == pytest.approx([0.5], abs=0.003)
    assert (ear.sound.codec, ear.sound.transcoded) == ("AAC", True)
    assert threads() == ["test-sound"]
    assert ear.drops.snapshot() == {}


async def test_after_aac_a_publisher_may_send_opus(ear: Heard) -> None:
    ear.clock.now = 1000 * SECOND
    ear.put(aac(clicks(0.5, [], 48_000), 48_000))
    ear.take(20)
    ear.sound.begin()
    later = [replace(packet, pts=packet.pts + 10 * 48_000) for packet in opus(clicks(0.1, [], 48_000))]
    ear.put(later)
    assert ear.out[-len(later) :] == later
    assert not ear.sound.transcoded


async def test_on_a_running_loop_it_needs_no_more_than_the_loop() -> None:
    out: list[SoundPacket] = []
    enough = asyncio.Event()

    def deliver(packet: SoundPacket) -> None:
        out.append(packet)
        if len(out) == 20:
            enough.set()

    sound = Sound(deliver=deliver, delay=lambda: 5 * MILLISECOND, drops=Drops())
    for packet in aac(clicks(0.5, [], 48_000), 48_000):
        sound.put(replace(packet, received=time.monotonic_ns()))
    await asyncio.wait_for(enough.wait(), PATIENCE)
    assert [packet.pts for packet in out[:20]] == [out[0].pts + 960 * number for number in range(20)]
    await sound.close()


@pytest.mark.parametrize(
    "packet",
    [
        SoundPacket(b"", 0, "OPUS", b"", 0),
        SoundPacket(b"\xff\x07", 0, "OPUS", b"", 0),
        SoundPacket(b"\xfc", 0, "OPUS", b"OpusHead\x01\x06\0\0\0\0\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05", 0),
    ],
)
async def test_what_viewers_cannot_play_is_not_sent(ear: Heard, packet: SoundPacket) -> None:
    ear.put([packet])
    assert ear.out == []
    assert ear.drops.snapshot() == {"sound_broken": 1}


async def test_opus_is_decoded_only_while_somebody_listens(ear: Heard) -> None:
    ear.clock.now = 1000 * SECOND
    packets = opus(clicks(1.0, [0.25, 0.75], 48_000))
    ear.put(packets[:10])
    assert threads() == []
    first, second = ear.sound.tap(), ear.sound.tap()
    ear.put(packets[10:20])
    first.close()
    first.close()
    ear.put(packets[20:])
    assert threads() == ["test-sound"]
    assert ear.out == packets
    second.close()
    assert second.window(0, 0.1).shape == (1600,)


async def test_nothing_comes_out_of_what_was_closed(ear: Heard) -> None:
    packets = opus(clicks(0.1, [], 48_000))
    await ear.sound.close()
    ear.put(packets)
    assert ear.out == []
    await ear.sound.close()


def worker(deliver: Callable[[Sequence[SoundPacket]], None] = lambda _: None) -> tuple[Worker, Drops]:
    drops = Drops()
    return Worker(deliver=deliver, listening=lambda: False, recent=Recent(), drops=drops), drops


def test_a_thread_that_is_behind_drops_the_oldest() -> None:
    made: list[Sequence[SoundPacket]] = []
    behind, drops = worker(made.append)
    packets = aac(clicks(2, [], 48_000), 48_000)
    for packet in packets[: QUEUE_PACKETS + 5]:
        behind.put(packet)
    assert drops.snapshot() == {"sound_behind": 5}
    for _ in range(QUEUE_PACKETS):
        behind.step()
    assert made[0][0].pts == packets[5].pts - 312


def test_another_publisher_leaves_nothing_of_the_one_before() -> None:
    changed, drops = worker()
    for packet in aac(clicks(0.5, [], 48_000), 48_000)[:5]:
        changed.put(packet)
    changed.begin()
    assert drops.snapshot() == {"taken_over": 5}


PACKETS = st.lists(
    st.builds(
        SoundPacket,
        data=st.binary(max_size=300),
        pts=st.integers(-(1 << 40), 1 << 40) | st.integers(0, 20_000),
        codec=st.sampled_from(["AAC", "AAC", "OPUS", "MP3"]),
        configuration=st.sampled_from([b"\x11\x90", b"\x12\x08", b"\x11\xb0", b""]) | st.binary(max_size=12),
        received=st.just(0),
    ),
    max_size=8,
)


@given(PACKETS)
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_sound_or_counted(packets: list[SoundPacket]) -> None:
    made: list[Sequence[SoundPacket]] = []
    drops = Drops()
    hurt = Worker(deliver=made.append, listening=lambda: True, recent=Recent(), drops=drops)
    with mock.patch.object(logging.getLogger("stream.sound.worker"), "exception") as failed:
        for packet in packets:
            hurt.put(packet)
            hurt.step()
    assert not failed.called
    assert drops.snapshot().get("sound_broken", 0) <= len(packets)
    assert {duration(packet.data) for some in made for packet in some} <= {960}


def test_what_is_no_sound_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    hurt, drops = worker()
    hurt.put(SoundPacket(b"data", 0, "AAC", b"\x08\x00", 0))
    hurt.step()
    assert drops.snapshot() == {"sound_broken": 1}
    assert "AAC of object type 1 is not taken here" in caplog.text
