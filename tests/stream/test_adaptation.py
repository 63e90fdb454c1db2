from __future__ import annotations

import itertools

from stream.adaptation import DOWN_AFTER, LADDER, UP_AFTER, Ladder, Rung
from stream.limits import MILLISECOND, MIN_BITRATE, SECOND

HD = 1280 * 720
FRAME = 33 * MILLISECOND


class Stream:
    def __init__(self, pixels: int = HD) -> None:
        self.pixels = pixels
        self.ladder = Ladder()
        self.now = 0

    def run(self, bitrate: int, seconds: float) -> list[Rung]:
        """The rungs that it is on, without repeats."""
        rungs: list[Rung] = []
        end = self.now + int(seconds * SECOND)
        while self.now < end:
            rung = self.ladder.update(bitrate, self.pixels, self.now)
            if rungs[-1:] != [rung]:
                rungs.append(rung)
            self.now += FRAME
        return rungs


def test_a_good_rate_is_for_the_whole_picture() -> None:
    assert Stream().run(400_000, 10) == [LADDER[0]]


def test_below_what_720p_needs_it_is_made_smaller_after_a_moment() -> None:
    stream = Stream()
    assert stream.run(300_000, (DOWN_AFTER - FRAME) / SECOND) == [LADDER[0]]
    assert stream.run(300_000, 10) == [LADDER[0], LADDER[1]]


def test_a_short_dip_changes_nothing() -> None:
    stream = Stream()
    for _ in range(20):
        assert stream.run(200_000, (DOWN_AFTER - 2 * FRAME) / SECOND) == [LADDER[0]]
        assert stream.run(1_000_000, 0.1) == [LADDER[0]]


def test_a_line_that_breaks_down_goes_down_in_one_step_and_comes_back_in_several() -> None:
    stream = Stream()
    assert stream.run(MIN_BITRATE, 10) == [LADDER[0], LADDER[2]]
    assert stream.run(1_000_000, (UP_AFTER - FRAME) / SECOND) == [LADDER[2]]
    assert stream.run(1_000_000, 10) == [LADDER[2], LADDER[1], LADDER[0]]


def test_a_rate_that_swings_about_the_threshold_does_not_change_the_size_each_time() -> None:
    stream = Stream()
    stream.run(330_000, 10)
    seen = [rung for _ in range(10) for rung in stream.run(400_000, 4) + stream.run(330_000, 1)]
    assert set(seen) == {LADDER[1]}


def test_full_hd_needs_more_and_ends_with_fewer_frames() -> None:
    stream = Stream(1920 * 1080)
    assert stream.run(700_000, 5)[-1] == LADDER[1]
    assert stream.run(MIN_BITRATE, 5)[-1] == LADDER[3]
    assert LADDER[3].every == 2


def test_a_small_picture_is_not_made_smaller() -> None:
    assert Stream(320 * 180).run(10_000, 10) == [LADDER[0]]


def test_another_picture_size_is_another_ladder() -> None:
    stream = Stream(1920 * 1080)
    stream.run(MIN_BITRATE, 5)
    stream.pixels = 320 * 180
    assert stream.run(MIN_BITRATE, 1) == [LADDER[0]]


def test_each_rung_takes_less_than_the_one_before() -> None:
    costs = [rung.scale**2 / rung.every for rung in LADDER]
    assert all(after < before for before, after in itertools.pairwise(costs))
