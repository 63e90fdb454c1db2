from __future__ import annotations

import logging

import pytest

from transforms.complaint import Complaint
from transforms.window import SPAN, Quantiles, Window


def test_quantiles_of_nothing_are_zero() -> None:
    assert Window().quantiles() == Quantiles(0.0, 0.0, 0.0)


def test_quantiles_in_milliseconds() -> None:
    window = Window(length=200)
    for duration in range(1, 101):
        window.add(duration * 1_000_000)
    assert window.quantiles() == Quantiles(51.0, 96.0, 100.0)
    assert (window.count, window.total) == (100, 5050 * 1_000_000)


def test_only_the_last_ones_count() -> None:
    window = Window(length=3)
    for duration in (900, 1, 2, 3):
        window.add(duration * 1_000_000)
    assert window.quantiles().p99 == 3.0
    assert window.count == 4


def test_what_is_long_ago_does_not_count() -> None:
    now = [0]
    window = Window(clock=lambda: now[0])
    window.add(900_000_000)
    now[0] = SPAN
    window.add(1_000_000)
    assert window.quantiles().p99 == 900.0
    now[0] += 1
    assert window.quantiles().p99 == 1.0
    now[0] += SPAN
    assert window.quantiles() == Quantiles()
    assert window.count == 2


def test_a_complaint_is_written_once_a_second_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    now = [0]
    complaint = Complaint(logging.getLogger("complaint"), clock=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            complaint("thing %d failed", 7)
            now[0] += 20_000_000
    told = [record.getMessage() for record in caplog.records]
    assert told == ["thing 7 failed", "thing 7 failed (and 49 more like it)"]
