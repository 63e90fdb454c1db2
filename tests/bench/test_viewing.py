from __future__ import annotations

import math

import pytest

from bench import viewing
from bench.line.line import Counts
from bench.process import Usage
from bench.viewer import Recording

MS = 1_000_000
SECOND = 1000 * MS


def recording(shown: list[int], octets: list[tuple[int, int]]) -> Recording:
    used = [Usage(0, 1.0, 100.0, 5.0), Usage(2 * SECOND, 2.0, 110.0, 9.0)]
    return Recording("H264", 0, 2 * SECOND, [], [(at, b"") for at in shown], octets, used, 0.25, 0, 0, Counts(), Counts())


def test_matches_each_picture_with_its_last_sending() -> None:
    sent = [(0, 10 * MS), (1, 43 * MS), (60, 76 * MS), (0, 5000 * MS)]
    shown = [(0, 60 * MS), (60, 136 * MS), (None, 140 * MS), (1, 150 * MS), (0, 5090 * MS)]
    assert viewing.match(sent, shown) == [(10 * MS, 50.0), (43 * MS, 107.0), (76 * MS, 60.0), (5000 * MS, 90.0)]


def test_a_picture_shown_twice_or_never_sent_counts_once_or_not_at_all() -> None:
    assert viewing.match([(7, 10 * MS)], [(7, 20 * MS), (7, 50 * MS), (8, 60 * MS), (7, 5 * MS)]) == [(10 * MS, 10.0)]


def test_gaps_reach_to_the_edges() -> None:
    assert viewing.gaps_ms([50 * MS, 110 * MS, 140 * MS, 900 * MS], 100 * MS, 200 * MS) == [10.0, 30.0, 60.0]
    assert viewing.gaps_ms([], 0, SECOND) == [1000.0]


def test_freezes_and_bitrate_of_a_part() -> None:
    shown = [at * 33 * MS for at in range(20)] + [1_000 * MS, 1_160 * MS, 1_300 * MS]
    octets = [(0, 0), (SECOND, 250_000), (2 * SECOND, 300_000)]
    turns = [(at, 40.0) for at in shown[:-1]] + [(1_300 * MS, 400.0)]
    found = recording(shown, octets)
    first = viewing.evaluate(found, turns, 0.0, 1.0)
    assert (first.freezes, first.longest_ms, first.frozen_ms) == (1, 373.0, 373.0)
    assert first.kbps == 2000.0
    assert first.fps == 20.0
    second = viewing.evaluate(found, turns, 1.0, 2.0)
    assert (second.freezes, second.longest_ms, second.frozen_ms) == (2, 700.0, 860.0)
    assert (second.p50, second.p99) == (40.0, 400.0)
    assert second.kbps == 400.0


def test_nothing_measured_is_no_number() -> None:
    found = viewing.evaluate(recording([], []), [], 0.0, 1.0)
    assert math.isnan(found.p50)
    assert math.isnan(found.kbps)
    assert found.longest_ms == 1000.0


def test_cpu_is_shared_out() -> None:
    found = recording([], [])
    assert found.cores == 0.5
    assert found.other_cores == 4.0 / 2 - 0.5 - 0.25


def test_pictures_that_nobody_can_identify() -> None:
    with pytest.raises(ValueError, match="barcode"):
        viewing.turnarounds(recording([], []))


def test_a_line_in_words() -> None:
    assert viewing.lost_words(Counts(taken=9)) == "9: none lost"
    counts = Counts(taken=50, lost=2, lost_in_bursts=3, dropped_by_script=20, dropped_by_queue=1)
    assert viewing.lost_words(counts) == "50: 5 lost, 20 in bursts, 1 from the queue"
