from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.rtmp.amf0 import AmfError, decode, encode
from stream.rtmp.limits import AMF_DEPTH, AMF_VALUES

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
leaves = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"), max_size=40)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


@given(st.lists(values, max_size=4))
def test_what_is_encoded_is_decoded(given_values: list[object]) -> None:
    assert decode(encode(*given_values)) == given_values  # type: ignore[arg-type]


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes_give_values_or_an_error_of_ours(data: bytes) -> None:
    try:
        decode(data)
    except AmfError:
        return


def test_the_types_that_only_others_send() -> None:
    assert decode(b"\x08\0\0\0\x63\0\1a\0" + struct.pack(">d", 1.5) + b"\0\0\x09") == [{"a": 1.5}]  # ECMA array, count wrong
    assert decode(b"\x10\0\4Type\0\1a\1\1\0\0\x09") == [{"a": True}]
    assert decode(b"\x0b" + struct.pack(">d", 1e12) + b"\0\0") == [1e12]
    assert decode(b"\x0c\0\0\0\3abc\x0f\0\0\0\1x") == ["abc", "x"]
    assert decode(b"\x06\x0d\x07\0\1\x05") == [None] * 4
    assert decode(b"\x0a\0\0\0\2\x05\1\0") == [[None, False]]


def test_an_object_may_lack_its_end() -> None:
    assert decode(b"\x03\0\1a\x05") == [{"a": None}]


def test_text_that_is_not_utf8_is_still_text() -> None:
    assert decode(b"\x02\0\2a\xff") == ["a\ufffd"]


def test_nesting_is_bounded() -> None:
    deepest: object = None
    for _ in range(AMF_DEPTH):
        deepest = [deepest]
    assert decode(encode(deepest)) == [deepest]  # type: ignore[arg-type]
    with pytest.raises(AmfError, match="nested more than 8 deep"):
        decode(encode([deepest]))  # type: ignore[list-item]


def test_a_million_levels_are_refused_at_the_ninth() -> None:
    with pytest.raises(AmfError, match="nested"):
        decode(b"\x0a\0\0\0\1" * 10_000)
    with pytest.raises(AmfError, match="nested"):
        decode(b"\x03\0\1a" * 10_000)


def test_the_number_of_values_is_bounded() -> None:
    assert len(decode(b"\x05" * AMF_VALUES)) == AMF_VALUES
    with pytest.raises(AmfError, match="more than 512 values"):
        decode(b"\x05" * (AMF_VALUES + 1))
    with pytest.raises(AmfError, match="more than 512 values"):
        decode(b"\x0a\xff\xff\xff\xff" + b"\x05" * 60_000)


@pytest.mark.parametrize(
    "data", [b"\x00\x01", b"\x02\0\5abc", b"\x0c\xff\xff\xff\xffabc", b"\x01", b"\x08\0\0", b"\x0a\0\0\0\3\x05"]
)
def test_what_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(AmfError, match="cut off"):
        decode(data)


@pytest.mark.parametrize("marker", [4, 9, 14, 17, 255])
def test_markers_that_no_publisher_sends_are_refused(marker: int) -> None:
    with pytest.raises(AmfError, match=f"no marker {marker}"):
        decode(bytes((marker,)))


def test_text_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(ValueError, match="longer"):
        encode("x" * 65_536)
