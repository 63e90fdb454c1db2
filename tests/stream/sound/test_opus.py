"""Against RFC 6716, table 2 and section 3.1, and RFC 7845, section 5.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sound import opus


@pytest.mark.parametrize(
    ("first", "milliseconds"),
    [
        (b"\x00", 10),  # SILK
        (b"\x08", 20),
        (b"\x10", 40),
        (b"\x18", 60),
        (b"\x60", 10),  # hybrid
        (b"\x68", 20),
        (b"\x80", 2.5),  # CELT
        (b"\x88", 5),
        (b"\xf0", 10),
        (b"\xfc", 20),  # stereo
        (b"\xfd", 40),  # two frames of one size
        (b"\xfe", 40),  # two of different sizes
        (b"\xff\x03", 60),  # any number
        (b"\xff\x86", 120),
        (b"\xff\x07", 0),  # 140 ms: more than a packet may hold
        (b"\xff", 0),
        (b"", 0),
    ],
)
def test_how_long_a_packet_is(first: bytes, milliseconds: float) -> None:
    assert opus.duration(first) == milliseconds * 48


@given(st.binary(max_size=40))
def test_any_bytes_are_120_ms_at_most(data: bytes) -> None:
    assert 0 <= opus.duration(data) <= opus.LONGEST


@pytest.mark.parametrize(
    ("head", "plain"),
    [
        (b"", True),
        (b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00", True),
        (b"OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00", True),
        (b"OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05", False),
        (b"OpusHead\x01\x00\x38\x01\x80\xbb\x00\x00\x00\x00\x00", False),
        (b"OpusHead\x01\x02", False),
        (b"something else of that length", False),
    ],
)
def test_what_rtp_can_carry(head: bytes, plain: bool) -> None:
    assert opus.plain(head) == plain
