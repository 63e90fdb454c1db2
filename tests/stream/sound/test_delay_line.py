from __future__ import annotations

from itertools import pairwise

import pytest

from stream.frame_queue import Drops
from stream.limits import MILLISECOND, SECOND
from stream.sound.delay_line import DelayLine
from stream.sound.limits import DELAY_JUMP, DELAY_STEP, DELAYED_PACKETS, MAX_DELAY
from stream.sound.packet import SoundPacket
from tests.stream.sound.clock import Clock

PACKET = 20 * MILLISECOND


class Line:
    """A delay line, and when it handed on what."""

    def __init__(self, delay: int) -> None:
        self.clock = Clock()
        self.delay = delay
        self.drops = Drops()
        self.out: list[tuple[int, int]] = []
        """When, and the packet's number."""
        self.line = DelayLine(
            lambda packet: self.out.append((self.clock.now, packet.pts // 960)),
            lambda: self.delay,
            drops=self.drops,
            call_later=self.clock.call_later,
            clock=self.clock,
        )

    def put(self, *numbers: int) -> None:
        """Packets of these numbers come, 20 ms apart."""
        for number in numbers:
            self.line.put(SoundPacket(b"\xfc", number * 960, "OPUS", b"", self.clock.now))
            self.clock.run(self.clock.now + PACKET)

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.out]


def test_each_packet_leaves_a_delay_after_it_came() -> None:
    line = Line(50 * MILLISECOND)
    began = line.clock.now
    line.put(*range(10))
    line.clock.run(line.clock.now + SECOND)
    assert line.out == [(began + number * PACKET + 50 * MILLISECOND, number) for number in range(10)]
    assert line.clock.most == 1


def test_without_delay_it_leaves_at_once_and_no_timer_is_set() -> None:
    line = Line(0)
    began = line.clock.now
    line.put(*range(3))
    assert line.out == [(began + number * PACKET, number) for number in range(3)]
    assert line.clock.most == 0


def test_it_follows_the_pictures_little_by_little_both_ways() -> None:
    line = Line(60 * MILLISECOND)
    line.put(*range(5))
    line.delay = 100 * MILLISECOND
    line.put(*range(5, 40))
    assert line.line.delay == 100 * MILLISECOND
    line.delay = 40 * MILLISECOND
    line.put(*range(40, 80))
    assert line.line.delay == 40 * MILLISECOND
    assert line.numbers == list(range(79))
    steps = [after - before for (before, _), (after, _) in pairwise(line.out)]
    # Between two that leave, one comes, or with a growing delay now and then two: each moves the delay by a step.
    assert min(steps) == PACKET - DELAY_STEP
    assert max(steps) == PACKET + 2 * DELAY_STEP


@pytest.mark.parametrize("target", [300, 30])
def test_what_is_far_off_is_set_at_once(target: int) -> None:
    line = Line(160 * MILLISECOND)
    line.put(*range(20))
    line.delay = target * MILLISECOND
    assert abs(line.delay - 160 * MILLISECOND) > DELAY_JUMP
    line.put(*range(20, 60))
    assert line.line.delay == line.delay
    line.clock.run(line.clock.now + SECOND)
    assert line.numbers == list(range(60))
    when, number = line.out[-1]
    assert when == 5 * SECOND + number * PACKET + line.delay
    assert line.clock.most == 1


def test_what_the_line_reordered_is_put_in_order_while_it_is_held() -> None:
    line = Line(50 * MILLISECOND)
    line.put(0, 2, 1, 3)
    line.clock.run(line.clock.now + SECOND)
    assert line.numbers == [0, 1, 2, 3]


def test_what_comes_too_late_or_twice_is_dropped() -> None:
    line = Line(0)
    line.put(0, 1, 3, 2, 3, 4)
    assert line.numbers == [0, 1, 3, 4]
    assert line.drops.snapshot() == {"sound_late": 2}
    held = Line(50 * MILLISECOND)
    held.put(0, 1, 1, 2)
    held.clock.run(held.clock.now + SECOND)
    assert held.numbers == [0, 1, 2]
    assert held.drops.snapshot() == {"sound_late": 1}


def test_no_delay_is_endless_and_what_is_held_is_bounded() -> None:
    line = Line(3600 * SECOND)
    now = line.clock.now
    for number in range(DELAYED_PACKETS + 10):
        line.line.put(SoundPacket(b"\xfc", number * 960, "OPUS", b"", now))
    assert line.line.delay == MAX_DELAY
    assert line.drops.snapshot() == {"sound_full": 10}
    line.clock.run(now + MAX_DELAY)
    assert line.numbers == list(range(10, DELAYED_PACKETS + 10))


def test_a_closed_line_hands_nothing_on() -> None:
    line = Line(50 * MILLISECOND)
    line.put(0)
    line.line.close()
    line.clock.run(line.clock.now + SECOND)
    assert line.out == []
    assert line.clock.waiting == []
