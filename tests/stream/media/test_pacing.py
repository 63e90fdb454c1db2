from __future__ import annotations

import pytest

from stream.limits import SECOND
from stream.media.limits import TICKS
from stream.media.pacing import Pacing


class Clock:
    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_packet_is_due_at_once_wherever_it_begins(clock: Clock) -> None:
    assert Pacing(clock).wait(1_000 * TICKS) == 0


def test_others_are_due_as_far_apart_as_their_time_stamps(clock: Clock) -> None:
    pacing = Pacing(clock)
    pacing.wait(0)
    assert pacing.wait(TICKS) == 1
    clock.now += SECOND // 4
    assert pacing.wait(TICKS) == 0.75
    clock.now += SECOND
    assert pacing.wait(TICKS) == 0


def test_a_source_that_is_a_little_behind_catches_up(clock: Clock) -> None:
    pacing = Pacing(clock)
    pacing.wait(0)
    clock.now += SECOND * 14 // 10
    assert pacing.wait(TICKS) == 0
    assert pacing.wait(TICKS * 2) == pytest.approx(0.6)


def test_a_source_that_is_far_behind_does_not_hurry(clock: Clock) -> None:
    pacing = Pacing(clock)
    pacing.wait(0)
    clock.now += 10 * SECOND
    burst = 0
    while pacing.wait(burst * TICKS // 30) == 0:
        burst += 1
    assert burst <= 16
    assert pacing.wait(2 * TICKS) == pytest.approx(2, abs=0.5)
