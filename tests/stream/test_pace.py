from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.pace import CLOCK_RATE, JUMP, Pace


def admitted(fps: int, times: list[int]) -> list[int]:
    pace = Pace(fps)
    return [pts for pts in times if pace.admits(pts)]


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_a_camera_at_the_limit_loses_nothing_though_it_jitters(fps: int) -> None:
    chance = random.Random(1)
    interval = CLOCK_RATE / fps
    times = [int(number * interval + chance.uniform(-0.2, 0.2) * interval) for number in range(10 * fps)]
    assert admitted(fps, times) == times


@pytest.mark.parametrize(("offered", "limit"), [(60, 30), (120, 60), (240, 60), (50, 30), (60, 25)])
def test_a_faster_one_is_thinned_evenly(offered: int, limit: int) -> None:
    times = [number * CLOCK_RATE // offered for number in range(10 * offered)]
    kept = admitted(limit, times)
    assert 0.9 * limit <= len(kept) / 10 <= limit * 1.02
    gaps = [after - before for before, after in itertools.pairwise(kept)]
    assert max(gaps) <= 2 * CLOCK_RATE // limit


@pytest.mark.parametrize("jump", [-JUMP - 1, 2 * JUMP, -(1 << 32), 1 << 40])
def test_a_new_clock_is_followed_at_once(jump: int) -> None:
    pace = Pace(30)
    assert pace.admits(1000)
    assert pace.admits(1000 + jump)
    assert not pace.admits(1000 + jump + 10)
    assert pace.admits(1000 + jump + 3000)


def test_after_a_pause_there_is_no_burst() -> None:
    kept = admitted(30, [0, 3000, *(90_000 + number * 100 for number in range(30))])
    assert len(kept) == 4


@given(st.integers(1, 120), st.lists(st.integers(0, 3000), min_size=2, max_size=400))
def test_never_more_than_the_limit(fps: int, steps: list[int]) -> None:
    times = [sum(steps[: index + 1]) for index in range(len(steps))]
    kept = admitted(fps, times)
    assert len(kept) <= (times[-1] - times[0]) * fps / CLOCK_RATE * 1.05 + 2
