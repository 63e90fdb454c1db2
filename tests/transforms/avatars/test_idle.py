from __future__ import annotations

from itertools import pairwise

from transforms.avatars.idle import BLINKS, BREATH, blinking, breathing, idle
from transforms.faces.blendshapes import NAMES

STEP = 0.01


def test_it_blinks_once_in_a_while_and_never_for_long() -> None:
    closed = [blinking(number * STEP) for number in range(int(60 / STEP))]
    blinks = sum(before <= 0.5 < after for before, after in pairwise(closed))
    assert blinks == 60 / BLINKS
    assert max(closed) == 1.0
    assert 0.02 < sum(value > 0.5 for value in closed) / len(closed) < 0.06
    assert max(abs(after - before) for before, after in pairwise(closed)) < 0.25


def test_blinks_are_not_regular() -> None:
    begins = [number * STEP for number in range(int(60 / STEP)) if blinking(number * STEP) <= 0.5 < blinking((number + 1) * STEP)]
    apart = [after - before for before, after in pairwise(begins)]
    assert max(apart) - min(apart) > 1


def test_it_breathes_in_and_out_evenly() -> None:
    breath = [breathing(number * STEP) for number in range(int(BREATH / STEP))]
    assert max(breath) > 0.95
    assert min(breath) < -0.95
    assert max(abs(after - before) for before, after in pairwise(breath)) < 0.03


def test_a_head_that_sways_is_hardly_noticed() -> None:
    turns = [idle(number / 25).turn for number in range(1500)]
    for axis in range(3):
        angles = [turn[axis] for turn in turns]
        assert 1 < max(angles) - min(angles) < 7
        assert max(abs(after - before) for before, after in pairwise(angles)) < 0.15


def test_both_eyes_look_the_same_way() -> None:
    at = {name: NAMES.index(name) for name in NAMES}
    looks = [idle(number / 25).values for number in range(500)]
    assert all(look[at["eyeLookOutLeft"]] == look[at["eyeLookInRight"]] for look in looks)
    assert all(min(look[at["eyeLookOutLeft"]], look[at["eyeLookInLeft"]]) == 0 for look in looks)
    assert max(float(look[at["eyeLookOutLeft"]]) for look in looks) > 0.05


def test_the_same_time_gives_the_same() -> None:
    assert bool((idle(12.34).values == idle(12.34).values).all())
    assert float(idle(-3.0).values.abs().max()) < 10
