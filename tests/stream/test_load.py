from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from stream.limits import MILLISECOND, SECOND
from stream.load import (
    LATE,
    LEVELS,
    MAX_PATIENCE,
    PATIENCE,
    PERSISTENT,
    QUIET,
    SETTLE,
    STARVED,
    TRIAL,
    WINDOW,
    Level,
    Load,
    Thinning,
    Work,
)
from transforms.frame import Timeline

CODECS = 6 * MILLISECOND
"""ns of CPU that the codecs need for a frame."""


@dataclass
class Machine:
    """Streams at 30 fps each, whose frames take what the test says."""

    streams: int = 2
    slowness: Callable[[Level], float] = lambda level: 1.0
    """Times their CPU time that codecs take, on a level."""
    chain_cpu: int = 0
    """ns a frame, of the first stream only."""
    now: int = 100 * SECOND
    changes: list[tuple[int, int]] = field(default_factory=list)
    """When, and to which level."""

    def __post_init__(self) -> None:
        self.load = Load(lambda: self.now)
        self.thinnings = [Thinning() for _ in range(self.streams)]

    def run(self, seconds: float) -> int:
        """The level afterwards."""
        end = self.now + int(seconds * SECOND)
        while self.now < end:
            self.now += SECOND // 30
            for thinning in self.thinnings:
                if thinning.admits(self.load.share):
                    self._frame(chain_cpu=self.chain_cpu if thinning is self.thinnings[0] else 0)
        return self.load.level

    def _frame(self, chain_cpu: int) -> None:
        before, wall = self.load.level, int(CODECS * self.slowness(LEVELS[self.load.level]))
        self.load.worked(wall, CODECS)
        if chain_cpu:
            self.load.chained(chain_cpu)
        received, chained = self.now - wall - SECOND, SECOND
        decoded = received + wall // 2
        self.load.sent(Timeline(received, decoded, decoded, decoded + chained, self.now, self.now))
        if self.load.level != before:
            self.changes.append((self.now, self.load.level))


def slow(most: Fraction) -> Callable[[Level], float]:
    """A machine that keeps up with that share of the frames in the cheaper encoder, and no more."""
    return lambda level: 1.0 if level.share <= most and level.preset == "ultrafast" else 20.0


def late(times: float) -> Callable[[Level], float]:
    return lambda level: times * LATE / CODECS


def test_a_machine_that_keeps_up_changes_nothing() -> None:
    machine = Machine(streams=8)
    assert machine.run(120) == 0
    assert machine.changes == []
    assert LEVELS[machine.load.level] == Level("superfast", Fraction(1))


def test_starved_for_less_than_late_is_no_overload() -> None:
    machine = Machine(slowness=late(0.99))
    assert LATE / CODECS > STARVED
    assert machine.run(60) == 0


def test_late_on_a_machine_with_free_cores_is_no_overload() -> None:
    machine = Machine()
    machine.load.worked(0, 10**15)
    for _ in range(300):
        machine.now += SECOND // 30
        machine.load.worked(CODECS, CODECS)
        machine.load.sent(Timeline(machine.now - 10 * LATE, machine.now, machine.now, machine.now, machine.now, machine.now))
    assert machine.load.level == 0


def test_first_the_encoder_gets_cheaper_then_as_many_frames_are_left_out_as_it_takes() -> None:
    machine = Machine(slowness=slow(Fraction(2, 3)))
    machine.run(PERSISTENT * WINDOW / SECOND - 0.1)
    assert machine.load.level == 0
    machine.run(0.2)
    assert LEVELS[machine.load.level] == Level("ultrafast", Fraction(1))
    machine.run(4 * (PERSISTENT * WINDOW + SETTLE) / SECOND)
    assert LEVELS[machine.load.level] == Level("ultrafast", Fraction(2, 3))
    assert [level for _, level in machine.changes] == [1, 2, 3, 4]


def test_what_the_cheaper_encoder_is_enough_for_costs_no_frame() -> None:
    machine = Machine(slowness=lambda level: 20.0 if level.preset == "superfast" else 1.0)
    assert machine.run(PATIENCE / SECOND) == 1


def test_it_goes_one_level_at_a_time_and_waits_for_its_effect() -> None:
    turns = itertools.count()
    machine = Machine(slowness=lambda level: 20.0 if next(turns) % 5 == 0 else STARVED)
    machine.run(10)
    assert [level for _, level in machine.changes[:3]] == [1, 2, 3]
    assert all(then - now >= PERSISTENT * WINDOW + SETTLE for (now, _), (then, _) in itertools.pairwise(machine.changes))


def test_it_ends_at_the_last_level() -> None:
    assert Machine(slowness=late(100)).run(60) == len(LEVELS) - 1


def test_a_hiccup_changes_nothing() -> None:
    machine = Machine()
    for _ in range(20):
        machine.slowness = late(10)
        machine.run((PERSISTENT - 2) * WINDOW / SECOND)
        machine.slowness = lambda level: 2.0
        machine.run(2 * WINDOW / SECOND)
    assert machine.changes == []


def test_one_slow_stream_of_few_frames_is_no_share() -> None:
    machine = Machine(streams=1)
    for _ in range(30):
        machine.now += SECOND
        machine.load.worked(20 * CODECS, CODECS)
        machine.load.sent(Timeline(machine.now - 2 * LATE, machine.now, machine.now, machine.now, machine.now, machine.now))
    assert machine.load.level == 0


def test_of_fewer_frames_each_may_take_longer() -> None:
    """Others have the cores: leaving out more and more would not help."""
    machine = Machine(slowness=late(1.9))
    machine.run(20)
    machine.changes.clear()
    machine.run(300)
    assert {LEVELS[level].share for _, level in machine.changes} == {Fraction(1, 2), Fraction(2, 3)}


@pytest.mark.parametrize("cpu", [MILLISECOND, LATE + 1, 10 * LATE], ids=["waits", "too slow", "far too slow"])
def test_a_chain_that_is_slow_by_itself_costs_the_others_nothing(cpu: int) -> None:
    machine = Machine(slowness=lambda level: 2 * STARVED, chain_cpu=cpu)
    assert machine.run(30) == 0


def test_a_chain_that_starves_counts() -> None:
    machine = Machine(slowness=lambda level: 2 * STARVED, chain_cpu=LATE // 2)
    assert machine.run(5) > 0


def test_it_comes_back_level_by_level_and_not_at_once() -> None:
    machine = Machine(slowness=late(100))
    machine.run(20)
    machine.changes.clear()
    machine.slowness = lambda level: 1.0
    begin = machine.now
    assert machine.run(2 * PATIENCE * len(LEVELS) / SECOND) == 0
    assert [level for _, level in machine.changes] == list(reversed(range(len(LEVELS) - 1)))
    times = [begin, *(when for when, _ in machine.changes)]
    assert all(after - before >= PATIENCE for before, after in itertools.pairwise(times))


def test_nothing_more_is_tried_while_some_frames_are_late() -> None:
    turns = itertools.count()
    machine = Machine(slowness=slow(Fraction(1)))
    machine.run(3)
    machine.slowness = lambda level: 20.0 if next(turns) % 20 == 0 else STARVED
    assert machine.run(60) == machine.load.level > 0


def test_what_was_too_much_is_tried_less_and_less_often() -> None:
    machine = Machine(slowness=slow(Fraction(1)))
    machine.run(600)
    ups = [when for when, level in machine.changes if level == 0]
    waits = [after - before for before, after in itertools.pairwise(ups)]
    assert len(waits) > 5
    expected = [min(2 ** (count + 1) * PATIENCE, MAX_PATIENCE) for count in range(len(waits))]
    assert all(0 <= wait - least <= (PERSISTENT + 4) * WINDOW + SETTLE for wait, least in zip(waits, expected, strict=True))
    assert {level for _, level in machine.changes} == {0, 1}


def test_patience_is_short_again_after_a_step_that_was_right() -> None:
    machine = Machine(slowness=slow(Fraction(1)))
    machine.run(120)
    machine.slowness = lambda level: 1.0
    assert machine.run((MAX_PATIENCE + TRIAL) / SECOND + 3) == 0
    machine.slowness = slow(Fraction(1))
    assert machine.run(3) == 1
    machine.slowness = lambda level: 1.0
    assert machine.run((PATIENCE + 2 * WINDOW) / SECOND) == 0


def test_after_a_pause_it_begins_anew() -> None:
    machine = Machine(slowness=late(100))
    assert machine.run(20) > 0
    machine.now += QUIET + 1
    machine.slowness = lambda level: 1.0
    assert machine.run(0.1) == 0


@pytest.mark.parametrize("share", sorted({level.share for level in LEVELS}))
def test_frames_are_left_out_evenly_and_of_all_streams_alike(share: Fraction) -> None:
    streams = [[number for number in range(600) if thinning.admits(share)] for thinning in (Thinning(), Thinning())]
    assert streams[0] == streams[1]
    kept = streams[0]
    gaps = {after - before for before, after in itertools.pairwise(kept)}
    assert abs(len(kept) - 600 * share) <= 1
    assert gaps <= {int(1 / share), -(-1 // share)}
    assert kept[0] == 0


def test_a_change_of_the_share_makes_no_burst() -> None:
    thinning = Thinning()
    shares = [level.share for level in LEVELS for _ in range(50)] + [level.share for level in reversed(LEVELS) for _ in range(50)]
    kept = [number for number, share in enumerate(shares) if thinning.admits(share)]
    assert max(after - before for before, after in itertools.pairwise(kept)) == 3


def test_each_level_takes_less_than_the_one_before() -> None:
    assert all(after.share <= before.share and after != before for before, after in itertools.pairwise(LEVELS))


def test_work_is_measured_though_it_fails() -> None:
    seen: list[tuple[int, int]] = []

    class Seen(Load):
        def worked(self, wall: int, cpu: int) -> None:
            seen.append((wall, cpu))

    with pytest.raises(ValueError), Work(Seen()):
        raise ValueError
    ((wall, cpu),) = seen
    assert wall > 0
    assert cpu >= 0
