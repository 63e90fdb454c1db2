from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.rtc import h264

START = b"\0\0\0\1"
MTU = 1200


def nal(kind: int, size: int, reference: int = 3) -> bytes:
    """A unit of that many bytes without anything that looks like a start code."""
    return bytes((reference << 5 | kind,)) + bytes(0x80 | index % 0x7F for index in range(size - 1))


UNITS = st.lists(
    st.builds(
        nal,
        st.sampled_from([1, 5, 6, 7, 8, 9]),
        st.one_of(st.integers(2, 60), st.integers(MTU - 8, MTU + 8), st.integers(2, 9000)),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)


def annex_b(units: list[bytes]) -> bytes:
    return b"".join(START + unit for unit in units)


@given(UNITS, st.integers(100, 1400))
def test_what_is_split_is_joined_again(units: list[bytes], size: int) -> None:
    payloads = h264.split(annex_b(units), size)
    assert max(map(len, payloads)) <= size
    assert h264.join(payloads) == annex_b(units)


@given(UNITS)
def test_short_start_codes_and_trailing_zeros_are_read(units: list[bytes]) -> None:
    access_unit = b"".join(b"\0\0\0" * (index % 2) + b"\0\0\1" + unit for index, unit in enumerate(units))
    assert h264.join(h264.split(access_unit, MTU)) == annex_b(units)


def test_parameter_sets_travel_together_and_a_large_slice_in_even_parts() -> None:
    payloads = h264.split(annex_b([nal(7, 20), nal(8, 5), nal(5, 3001)]), MTU)
    assert [payload[0] & 0x1F for payload in payloads] == [24, 28, 28, 28]
    assert {len(payload) for payload in payloads[1:]} == {1002}
    assert [payload[1] & 0xC0 for payload in payloads[1:]] == [0x80, 0, 0x40]
    # All of one size but for the last, as the kernel cuts datagrams.
    assert [len(payload) for payload in h264.split(annex_b([nal(1, 3003)]), MTU)] == [1003, 1003, 1002]


def test_an_aggregate_carries_its_units_highest_reference_idc() -> None:
    (payload,) = h264.split(annex_b([nal(6, 9, 0), nal(1, 9, 2)]), MTU)
    assert payload[0] == 2 << 5 | 24


def test_nothing_is_split_into_nothing() -> None:
    assert h264.split(b"", MTU) == []
    assert h264.split(b"no start code", MTU) == []
    assert h264.join([]) == b""


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([28, 24]).flatmap(lambda k: st.binary().map(bytes((k,)).__add__))))
)
def test_whatever_comes_raises_nothing_but_value_error(payloads: list[bytes]) -> None:
    h264.is_keyframe(payloads)
    for payload in payloads:
        h264.starts_keyframe(payload)
    try:
        joined = h264.join(payloads)
    except ValueError:
        return
    assert joined == b"" or joined.startswith(START)


@pytest.mark.parametrize(
    "payloads",
    [
        [b"\x7c\x85"],  # FU-A without content
        [b"\x7c\x05abc"],  # FU-A that does not begin
        [b"\x78\x00"],  # STAP-A cut in its length
        [b"\x78\x00\x09abc"],  # STAP-A shorter than it says
        [b"\x78\x00\x00"],  # STAP-A with an empty unit
        [b"\x79abc"],  # STAP-B
        [b"\x7dabc"],  # FU-B
        [b"\x00abc"],  # no type
    ],
)
def test_what_mode_1_does_not_know_is_refused(payloads: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"FU-A|STAP-A|NAL"):
        h264.join(payloads)


def test_a_keyframe_is_known_by_its_idr_slice() -> None:
    assert h264.is_keyframe(h264.split(annex_b([nal(7, 20), nal(8, 5), nal(5, 4000)]), MTU))
    assert h264.is_keyframe(h264.split(annex_b([nal(9, 2), nal(5, 40)]), MTU))
    assert not h264.is_keyframe(h264.split(annex_b([nal(9, 2), nal(1, 4000)]), MTU))


def test_decoding_starts_at_parameter_sets_or_a_pictures_first_slice() -> None:
    first = b"\x65\x88rest"  # first_mb_in_slice is 0
    assert h264.starts_keyframe(nal(7, 20))
    assert h264.starts_keyframe(h264.split(annex_b([nal(7, 20), nal(8, 5)]), MTU)[0])
    assert h264.starts_keyframe(first)
    assert h264.starts_keyframe(b"\x7c\x85" + first[1:])
    assert h264.starts_keyframe(b"\x78\x00\x06" + first)
    assert not h264.starts_keyframe(nal(8, 5))
    assert not h264.starts_keyframe(nal(1, 5))
    assert not h264.starts_keyframe(b"")


def test_decoding_does_not_start_at_a_later_slice_of_a_keyframe() -> None:
    later = b"\x65\x21rest"
    assert not h264.starts_keyframe(later)
    assert not h264.starts_keyframe(b"\x7c\x85" + later[1:])
    assert not h264.starts_keyframe(b"\x78\x00\x06" + later)
    assert not h264.starts_keyframe(b"\x7c\x05\x88rest")  # the middle of a fragmented one
