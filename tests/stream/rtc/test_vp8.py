from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.rtc import vp8

KEY = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00"
DELTA = b"\x11\x02\x00"


@given(st.binary(min_size=1, max_size=9000), st.integers(50, 1400))
def test_what_is_split_is_joined_again(frame: bytes, size: int) -> None:
    payloads = vp8.split(frame, size)
    assert max(map(len, payloads)) <= size
    assert len({len(payload) for payload in payloads[:-1]}) <= 1
    assert 0 <= len(payloads[0]) - len(payloads[-1]) < len(payloads)
    assert [payload[0] for payload in payloads] == [0x10] + [0] * (len(payloads) - 1)
    assert vp8.join(payloads) == frame


@pytest.mark.parametrize(
    "descriptor",
    [
        b"\x10",
        b"\x90\x80\x05",  # picture id of 7 bits
        b"\x90\x80\x85\x05",  # of 15
        b"\x90\x40\x07",  # TL0PICIDX
        b"\x90\x20\x07",  # TID
        b"\x90\x10\x07",  # KEYIDX
        b"\x90\xf0\x85\x05\x07\x09",
    ],
)
def test_the_descriptors_fields_are_passed_over(descriptor: bytes) -> None:
    assert vp8.join([descriptor + KEY]) == KEY
    assert vp8.starts_keyframe(descriptor + KEY)
    assert not vp8.starts_keyframe(descriptor + DELTA)
    for cut in range(1, len(descriptor)):
        with pytest.raises(ValueError, match="descriptor"):
            vp8.join([descriptor[:cut]])
        assert not vp8.starts_keyframe(descriptor[:cut])


def test_only_the_first_packet_of_the_first_partition_starts_a_frame() -> None:
    assert vp8.is_keyframe(vp8.split(KEY * 400, 1200))
    assert not vp8.starts_keyframe(b"\x00" + KEY)
    assert not vp8.starts_keyframe(b"\x11" + KEY)  # first packet of the second partition
    assert not vp8.starts_keyframe(b"\x10")
    assert not vp8.is_keyframe([])


@given(st.lists(st.binary(max_size=40)))
def test_whatever_comes_raises_nothing_but_value_error(payloads: list[bytes]) -> None:
    vp8.is_keyframe(payloads)
    for payload in payloads:
        vp8.starts_keyframe(payload)
    try:
        vp8.join(payloads)
    except ValueError:
        return
