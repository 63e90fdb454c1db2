from __future__ import annotations

import queue
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.frame_queue import Drops
from stream.limits import MILLISECOND, SECOND
from stream.sound.encoder import BLOCK
from stream.sound.limits import VOICE_WAITING
from stream.sound.packet import CLOCK_RATE, SoundPacket
from stream.sound.sound import Sound
from stream.sound.voice_encoder import block
from tests.stream.sound.clock import Clock
from tests.stream.sound.media import clicks, heard, onsets, opus
from transforms.audio import SAMPLE_RATE, STEP, Voice

PATIENCE = 10.0
"""s for a thread on a busy machine."""

PICTURE = 40 * MILLISECOND
DELAY = 30 * MILLISECOND
"""That pictures take."""


class Said:
    """A ``Listener`` of samples that begin at a stream's zero."""

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._samples = np.pad(samples, SAMPLE_RATE)
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        self.gate.wait(PATIENCE)
        if self.fails:
            raise ValueError("a plugin's fault")
        last = round(end / STEP) + SAMPLE_RATE
        return self._samples[last - round(seconds * SAMPLE_RATE) : last]

    def close(self) -> None:
        pass


def tone(hertz: float, seconds: float = 3.0) -> NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


class House:
    """A stream's sound; pictures come every 40 ms, and with ``packets`` sound does."""

    def __init__(self) -> None:
        self.voice: Voice | None = None
        self.behind = 0.0
        self.clock = Clock()
        self.zero = self.clock.now
        self.drops = Drops()
        self.out: list[SoundPacket] = []
        self.at: list[int] = []
        """When each came out, ns of the stream's time."""
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.asked = 0
        """Calls that the thread has been given and has not been answered for."""
        self.sound = Sound(
            deliver=self._deliver,
            delay=lambda: DELAY,
            behind=lambda: self.behind,
            voice=lambda: self.voice,
            drops=self.drops,
            call_later=self.clock.call_later,
            call_soon_threadsafe=self.calls.put,
            clock=self.clock,
            name="test",
        )

    def _deliver(self, packet: SoundPacket) -> None:
        self.out.append(packet)
        self.at.append(self.clock.now - self.zero)

    def settle(self) -> None:
        """Does what the thread asked the loop for."""
        while self.sound._voice._waiting:
            self.calls.get(timeout=PATIENCE)()

    def run(self, until: float, packets: list[SoundPacket] | None = None, *, pictures: bool = True) -> None:
        """Up to a time of the stream, s."""
        while (now := self.clock.now - self.zero) < round(until * SECOND):
            if pictures and now % PICTURE == 0:
                self.sound.seen(now * 90_000 // SECOND, self.clock.now)
            while packets and packets[0].pts * SECOND // CLOCK_RATE + 20 * MILLISECOND <= now:
                self.sound.put(replace(packets.pop(0), received=self.clock.now))
            self.settle()
            self.clock.run(self.clock.now + 5 * MILLISECOND)
            self.settle()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.sound.close()


def pitch(samples: NDArray[np.float32]) -> float:
    """Hz of what is loudest."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * CLOCK_RATE / len(samples)


async def test_a_voice_is_heard_when_it_is_seen_without_any_sound_from_the_publisher(house: House) -> None:
    house.voice = Voice(Said(clicks(2.0, [0.5, 1.1, 1.7], SAMPLE_RATE)))
    house.run(2.0)
    assert onsets(*heard(house.out)) == pytest.approx([0.5, 1.1, 1.7], abs=0.002)
    assert {later.pts - packet.pts for packet, later in zip(house.out, house.out[1:], strict=False)} == {BLOCK}
    # As a publisher's: a packet when it is over, and the delay of pictures.
    waits = [at - packet.pts * SECOND // CLOCK_RATE for at, packet in zip(house.at, house.out, strict=True)][10:]
    assert max(waits) <= 20 * MILLISECOND + DELAY + 15 * MILLISECOND
    assert min(waits) >= DELAY
    assert (house.sound.codec, house.sound.transcoded) == ("VOICE", True)
    assert house.clock.most <= 2
    assert house.drops.snapshot() == {}


async def test_it_takes_the_publishers_place_and_gives_it_back(house: House) -> None:
    packets = opus(0.5 * tone_48(440, 3.0))
    sent = list(packets)
    house.run(1.0, packets)
    assert house.out == [replace(sent[n], received=house.out[n].received) for n in range(len(house.out))]
    said = Said(tone(1000))
    house.voice = Voice(said, end=2 * CLOCK_RATE)
    house.run(1.5, packets)
    assert house.sound.codec == "VOICE"
    house.run(3.0, packets)
    assert house.sound.codec == "OPUS"
    pts = np.array([packet.pts for packet in house.out])
    assert (np.diff(pts) > 0).all()
    assert np.diff(pts).max() <= 2 * BLOCK, "at both seams a packet at most is missing"
    own = {packet.data for packet in sent}
    assert [packet.data in own for packet in house.out if 1.1 < packet.pts / CLOCK_RATE < 1.98] == [False] * 44
    assert all(packet.data in own for packet in house.out if not 0.95 < packet.pts / CLOCK_RATE < 2)
    played, _ = heard(house.out)
    pitches = [pitch(played[round(at * CLOCK_RATE) :][:9600]) for at in (0.5, 1.4, 2.4)]
    assert pitches == pytest.approx([440, 1000, 440], abs=6)
    assert house.drops.snapshot() == {}


def tone_48(hertz: float, seconds: float) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * CLOCK_RATE)) / CLOCK_RATE).astype(np.float32)


async def test_a_chain_that_changes_ends_it(house: House) -> None:
    packets = opus(tone_48(440, 2.0))
    house.voice = Voice(Said(tone(1000)))
    house.run(1.0, packets)
    assert len(house.out) > 40
    house.voice = None
    house.run(2.0, packets)
    pts = np.array([packet.pts for packet in house.out])
    assert (np.diff(pts) > 0).all()
    assert np.diff(pts).max() <= 2 * BLOCK
    assert pitch(heard(house.out)[0][-9600:]) == pytest.approx(440, abs=6)
    assert house.sound._voice._timer is None


async def test_what_is_seen_late_is_said_late(house: House) -> None:
    house.behind = 0.14
    house.voice = Voice(Said(clicks(1.5, [0.5, 1.0], SAMPLE_RATE)))
    house.run(1.5)
    assert onsets(*heard(house.out)) == pytest.approx([0.64, 1.14], abs=0.002)
    assert house.sound.delay_ms == 170


async def test_without_pictures_nobody_speaks_nor_is_the_publisher_heard(house: House) -> None:
    house.voice = Voice(Said(tone(1000, 6.0)))
    house.run(1.0)
    house.run(4.0, pictures=False)
    count = len(house.out)
    assert house.out[-1].pts < 2.1 * CLOCK_RATE
    house.run(5.0)
    assert len(house.out) == pytest.approx(count + 50, abs=3)
    assert house.out[count].pts > 3.9 * CLOCK_RATE
    house.sound.begin()
    house.sound.put(replace(opus(tone_48(440, 0.1))[0], pts=6 * CLOCK_RATE, received=house.clock.now))
    house.settle()
    assert house.out[-1].pts < 5.1 * CLOCK_RATE


async def test_a_thread_that_is_stuck_costs_what_comes_after(house: House) -> None:
    said = Said(tone(1000))
    said.gate.clear()
    house.voice = Voice(said)
    house.sound.seen(0, house.clock.now)
    for _ in range(50):
        house.clock.run(house.clock.now + 20 * MILLISECOND)
        house.sound.seen((house.clock.now - house.zero) * 90_000 // SECOND, house.clock.now)
    assert house.drops.snapshot()["sound_behind"] == pytest.approx(50 - VOICE_WAITING, abs=3)
    said.gate.set()
    house.settle()


async def test_a_voice_that_fails_is_counted_and_said(house: House, caplog: pytest.LogCaptureFixture) -> None:
    said = Said(tone(1000))
    said.fails = True
    house.voice = Voice(said)
    house.run(0.2)
    assert house.drops.snapshot()["sound_broken"] > 5
    assert "a transform's voice" in caplog.text
    said.fails = False
    house.run(0.5)
    assert len(house.out) > 10


async def test_nothing_is_said_after_the_end() -> None:
    house = House()
    house.voice = Voice(Said(tone(1000)))
    house.run(0.3)
    await house.sound.close()
    count = len(house.out)
    house.run(0.6)
    assert len(house.out) == count
    assert house.clock.waiting == []


@pytest.mark.parametrize("hertz", [100, 1000, 4000, 6000])
def test_blocks_make_a_tone_without_seams(hertz: float) -> None:
    said = Said(tone(hertz, 1.0))
    made = np.concatenate([block(said, at) for at in range(9600, 38400, BLOCK)])
    expected = 0.5 * np.sin(2 * np.pi * hertz * np.arange(9600, 38400) / CLOCK_RATE)
    assert np.array_equal(made[:, 0], made[:, 1])
    noise = float(np.sqrt(np.mean((made[:, 0] - expected) ** 2)) / np.sqrt(np.mean(expected**2)))
    assert noise < 0.03
