from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.psnr import IDENTICAL, psnr
from bench.result import match

LOOP = 300
FRAME = 33
SENT = [FRAME * number for number in range(4 * LOOP)]


def shown(numbers: list[int], delay: int = 10) -> list[tuple[int | None, int]]:
    return [(number % LOOP, SENT[number] + delay) for number in numbers]


def test_every_frame_over_several_loops() -> None:
    turns = match(SENT, shown(list(range(len(SENT)))), LOOP)
    assert [turn.number for turn in turns] == list(range(len(SENT)))
    assert {turn.back - turn.sent for turn in turns} == {10}


@given(st.sets(st.integers(0, len(SENT) - 1), max_size=400))
def test_lost_frames(lost: set[int]) -> None:
    kept = [number for number in range(len(SENT)) if number not in lost]
    if max((after - before for before, after in zip([0, *kept], kept, strict=False)), default=0) >= LOOP // 2:
        return
    assert [turn.number for turn in match(SENT, shown(kept), LOOP)] == kept


def test_a_delay_longer_than_the_loop() -> None:
    delay = FRAME * (LOOP + 50)
    turns = match(SENT, shown(list(range(2 * LOOP)), delay), LOOP)
    assert {turn.back - turn.sent for turn in turns} == {delay}
    assert len(turns) == 2 * LOOP


def test_reordered_repeated_and_unreadable_frames() -> None:
    back: list[tuple[int | None, int]] = [(0, 40), (1, 50), (1, 60), (None, 70), (3, 120), (2, 130), (4, 150)]
    turns = match(SENT, back, LOOP)
    assert [(turn.number, turn.back) for turn in turns] == [(0, 40), (1, 50), (2, 130), (3, 120), (4, 150)]


def test_a_number_that_was_not_sent_yet_is_no_frame_of_ours() -> None:
    assert match(SENT[:3], [(5, 1000), (2, 10), (LOOP, 1000)], LOOP) == []


def test_psnr_of_a_known_error() -> None:
    reference = np.full((90, 160), 100, np.uint8)
    assert psnr(reference + np.uint8(5), reference) == pytest.approx(10 * math.log10(255**2 / 25))
    assert psnr(reference - np.uint8(5), reference) == pytest.approx(10 * math.log10(255**2 / 25))


def test_psnr_leaves_the_strip_out() -> None:
    reference = np.full((90, 160), 100, np.uint8)
    other = reference.copy()
    other[-2:] = 0
    assert psnr(other, reference) == IDENTICAL


def test_psnr_of_another_size_is_unknown() -> None:
    assert math.isnan(psnr(np.zeros((90, 160), np.uint8), np.zeros((180, 320), np.uint8)))
