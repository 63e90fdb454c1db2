from __future__ import annotations

import pytest

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import MAX_TIME
from stream.rtmp.timestamps import Unwrapper


def test_they_go_on_after_32_bits() -> None:
    clock = Unwrapper()
    assert [clock.unwrap(time) for time in (0xFFFFFFD8, 0, 40)] == [0xFFFFFFD8, 1 << 32, (1 << 32) + 40]


def test_picture_and_sound_may_wrap_in_turns() -> None:
    clock = Unwrapper()
    times = [0xFFFFFFF0, 5, 0xFFFFFFFB, 20, 10]
    assert [clock.unwrap(time) - times[0] for time in times] == [0, 21, 11, 36, 26]


def test_a_second_wrap() -> None:
    clock = Unwrapper()
    last = [clock.unwrap(time & 0xFFFFFFFF) for time in range(0, 9 << 30, 1 << 30)][-1]
    assert last == 8 << 30


def test_a_step_back_is_a_step_back() -> None:
    clock = Unwrapper()
    assert [clock.unwrap(time) for time in (1000, 980, 1000)] == [1000, 980, 1000]


def test_jumps_end_somewhere() -> None:
    clock = Unwrapper()
    jump = (1 << 31) - 1
    for index in range(MAX_TIME // jump + 1):
        assert clock.unwrap(index * jump & 0xFFFFFFFF) == index * jump
    with pytest.raises(RtmpError, match="jump"):
        clock.unwrap((MAX_TIME // jump + 1) * jump & 0xFFFFFFFF)
