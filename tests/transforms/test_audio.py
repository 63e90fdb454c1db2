from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from transforms.audio import HISTORY, SAMPLE_RATE, STREAM_RATE, Recent


def ramp(begin: int, count: int) -> NDArray[np.float32]:
    """Samples that say where they belong: the n-th from the stream's zero is n, and 1."""
    return np.arange(begin, begin + count, dtype=np.float32) + 1


def write(recent: Recent, begin: int, count: int) -> None:
    recent.write(begin * 3, ramp(begin, count))


def window(recent: Recent, end: int, count: int) -> list[float]:
    found = recent.window(end * 3, count / SAMPLE_RATE)
    assert found.dtype == np.float32
    result: list[float] = found.tolist()
    return result


def test_sound_is_where_its_time_stamp_says() -> None:
    recent = Recent()
    write(recent, 1000, 320)
    write(recent, 1320, 320)
    assert window(recent, 1640, 640) == ramp(1000, 640).tolist()
    assert window(recent, 1500, 3) == [1498, 1499, 1500]
    assert window(recent, 1500, 0) == []


def test_what_is_not_known_is_silence() -> None:
    recent = Recent()
    assert window(recent, 100, 4) == [0, 0, 0, 0]
    write(recent, 1000, 4)
    assert window(recent, 1006, 8) == [0, 0, 1001, 1002, 1003, 1004, 0, 0]
    assert window(recent, 50, 2) == [0, 0]
    assert window(recent, 10**12, 2) == [0, 0]


def test_a_gap_is_silence_though_older_sound_was_there() -> None:
    recent = Recent(seconds=16 / SAMPLE_RATE)
    write(recent, 0, 16)
    write(recent, 20, 4)
    assert window(recent, 24, 16) == [9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0, 21, 22, 23, 24]


def test_what_comes_late_or_twice_is_put_in_its_place() -> None:
    recent = Recent(seconds=16 / SAMPLE_RATE)
    write(recent, 4, 4)
    write(recent, 0, 4)
    write(recent, 2, 4)
    assert window(recent, 8, 8) == ramp(0, 8).tolist()
    write(recent, 8, 12)
    recent.write(0, np.full(6, -1, np.float32))
    assert window(recent, 20, 16) == [-1, -1, *ramp(6, 14).tolist()]


def test_more_than_it_keeps_leaves_the_last() -> None:
    recent = Recent(seconds=16 / SAMPLE_RATE)
    write(recent, 0, 100)
    assert window(recent, 100, 16) == ramp(84, 16).tolist()


def test_time_that_jumps_begins_anew() -> None:
    recent = Recent(seconds=16 / SAMPLE_RATE)
    write(recent, 1000, 16)
    write(recent, 10, 4)
    assert window(recent, 14, 6) == [0, 0, 11, 12, 13, 14]
    recent.forget()
    assert window(recent, 14, 6) == [0] * 6


@pytest.mark.parametrize("seconds", [-0.1, HISTORY + 0.01, 1e9])
def test_more_than_is_kept_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="are kept"):
        Recent().window(STREAM_RATE, seconds)
