from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from stream.limits import MILLISECOND, SECOND
from stream.sound.arrivals import Arrivals
from stream.sound.elsewhere import RETRY, Elsewhere
from stream.sound.packet import SoundPacket
from transforms.audio import SAMPLE_RATE, Listener, Recent


@dataclass
class Tap:
    recent: Recent
    closed: int = 0

    def window(self, end: int, seconds: float) -> np.typing.NDArray[np.float32]:
        return self.recent.window(end, seconds)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Other:
    zero: int | None = 7 * SECOND
    closed: bool = False
    taps: list[Tap] = field(default_factory=list)

    def tap(self) -> Listener:
        """A ramp, which says of each sample which it is."""
        recent = Recent()
        recent.write(0, np.arange(1, 2 * SAMPLE_RATE + 1, dtype=np.float32))
        self.taps.append(Tap(recent))
        return self.taps[-1]


@dataclass
class Scene:
    """Our stream began at 5 s of the clock, the other at 7 s."""

    there: Other | None = field(default_factory=Other)
    zero: int | None = 5 * SECOND
    now: int = 8 * SECOND
    looks: int = 0

    def __post_init__(self) -> None:
        self.ear = Elsewhere(lambda: self.zero, self.find, lambda: self.now)

    def find(self) -> Other | None:
        self.looks += 1
        return self.there

    def sample(self, time: float) -> int:
        """Which of the other's is heard just before a time of ours, s; 0 where none is."""
        return int(self.ear.window(round(time * 48_000), 0.01)[-1])


def test_it_is_heard_at_the_same_moment() -> None:
    scene = Scene()
    assert scene.sample(3.0) == 1 * SAMPLE_RATE
    assert scene.sample(1.9) == 0


def test_clocks_that_drift_move_it_at_once_or_not_at_all() -> None:
    scene = Scene()
    assert scene.there is not None
    scene.sample(3.0)
    scene.there.zero = 7 * SECOND + 40 * MILLISECOND
    assert scene.sample(3.0) == SAMPLE_RATE
    scene.there.zero = 7 * SECOND + 60 * MILLISECOND
    assert scene.sample(3.0) == pytest.approx(0.94 * SAMPLE_RATE, abs=1)


@pytest.mark.parametrize("missing", ["here", "there"])
def test_before_anything_came_there_is_silence(missing: str) -> None:
    scene = Scene()
    assert scene.there is not None
    if missing == "here":
        scene.zero = None
    else:
        scene.there.zero = None
    assert scene.sample(3.0) == 0


def test_it_is_looked_for_once_a_second_and_again_when_it_ended() -> None:
    scene = Scene(there=None)
    for _ in range(10):
        assert scene.sample(3.0) == 0
        scene.now += RETRY // 5
    assert scene.looks == 2
    first = scene.there = Other()
    scene.now += RETRY
    assert scene.sample(3.0) == SAMPLE_RATE
    first.closed = True
    assert scene.sample(3.0) == 0
    assert [tap.closed for tap in first.taps] == [1]
    scene.there = Other()
    scene.now += RETRY
    assert scene.sample(3.0) == SAMPLE_RATE


def test_who_has_closed_it_hears_nothing_more() -> None:
    scene = Scene()
    assert scene.there is not None
    scene.sample(3.0)
    scene.ear.close()
    scene.ear.close()
    scene.now += 2 * RETRY
    assert scene.sample(3.0) == 0
    assert [tap.closed for tap in scene.there.taps] == [1]


def test_time_is_that_of_pictures_where_there_are_any() -> None:
    arrivals = Arrivals()
    arrivals.sound(SoundPacket(b"", 48_000, "OPUS", b"", 3 * SECOND))
    assert arrivals.zero == 2 * SECOND
    arrivals.picture(90_000, 4 * SECOND)
    assert arrivals.zero == 3 * SECOND
    arrivals.sound(SoundPacket(b"", 48_000, "OPUS", b"", 4 * SECOND + 900 * MILLISECOND))
    assert (arrivals.zero, arrivals.newest) == (3 * SECOND, 4 * SECOND)
    arrivals.picture(180_000, 5 * SECOND + 32 * MILLISECOND)
    assert arrivals.zero == 3 * SECOND + MILLISECOND
    arrivals.begin()
    assert arrivals.zero is None
