from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.rtc import rtp

SIXTEEN = st.integers(0, 0xFFFF)
THIRTY_TWO = st.integers(0, 0xFFFFFFFF)


@given(st.integers(0, 127), st.booleans(), SIXTEEN, THIRTY_TWO, THIRTY_TWO, st.binary(max_size=1300))
def test_what_is_written_is_read(kind: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> None:
    packet = rtp.parse(rtp.header(kind, marker, sequence, timestamp, ssrc) + payload)
    assert packet == (kind, marker, sequence, timestamp, ssrc, payload, b"")


@given(st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=6, unique_by=lambda e: e[0]))
def test_header_extensions_are_found_by_their_number(elements: list[tuple[int, bytes]]) -> None:
    block = b"".join(bytes((number << 4 | len(value) - 1,)) + value for number, value in elements)
    packet = rtp.parse(rtp.header(96, False, 1, 2, 3, block) + b"payload")
    assert packet.payload == b"payload"
    for number in range(1, 15):
        assert rtp.extension_value(packet.extension, number) == dict(elements).get(number)


@given(st.binary(max_size=80), st.integers(1, 14))
def test_whatever_comes_raises_nothing_but_value_error(data: bytes, identifier: int) -> None:
    for start in (b"", b"\x80\x60", b"\xbf\x60", b"\x90\x60" + bytes(10) + b"\xbe\xde"):
        try:
            packet = rtp.parse(start + data)
        except ValueError:
            continue
        rtp.extension_value(packet.extension, identifier)


def test_padding_is_taken_off() -> None:
    head = bytearray(rtp.header(96, True, 7, 8, 9))
    head[0] |= 0x20
    assert rtp.parse(bytes(head) + b"abc\0\0\3").payload == b"abc"
    assert rtp.parse(bytes(head) + bytes(254) + b"\xff").payload == b""


def test_contributing_sources_are_skipped() -> None:
    head = bytearray(rtp.header(96, True, 7, 8, 9))
    head[0] |= 2
    assert rtp.parse(bytes(head) + bytes(8) + b"abc").payload == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        bytes(12),  # version 0
        b"\x8f\x60" + bytes(12),  # 15 contributing sources
        b"\x90\x60" + bytes(12),  # extension cut off
        b"\x90\x60" + bytes(10) + b"\xbe\xde\x00\x02" + bytes(4),  # extension longer than the packet
        b"\xa0\x60" + bytes(10) + b"a\x00",  # padding of no length
        b"\xa0\x60" + bytes(10) + b"a\x09",  # padding longer than the payload
    ],
)
def test_what_is_no_rtp_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="RTP"):
        rtp.parse(data)


def test_two_byte_extension_headers_are_passed_over() -> None:
    head = bytearray(rtp.header(96, True, 7, 8, 9))
    head[0] |= 0x10
    packet = rtp.parse(bytes(head) + b"\x10\x00\x00\x01\x01\x01\x07\x00abc")
    assert (packet.payload, packet.extension) == (b"abc", b"")


def test_identifier_15_ends_the_extensions() -> None:
    assert rtp.extension_value(b"\xf0\x00\x10\x07", 1) is None


@pytest.mark.parametrize(("second", "expected"), [(191, False), (192, True), (200, True), (223, True), (224, False), (96, False)])
def test_rtcp_is_told_by_its_packet_type(second: int, expected: bool) -> None:
    assert rtp.is_rtcp(bytes((0x80, second, 0, 0))) is expected


@given(st.integers(0, 0xFFFF), st.lists(st.integers(-500, 500), max_size=300))
def test_sequence_numbers_unwrap(start: int, steps: list[int]) -> None:
    unwrap = rtp.Unwrapper(16)
    number = unwrap(start)
    highest = number
    for step in steps:
        assert unwrap((highest + step) & 0xFFFF) == highest + step
        highest = max(highest, highest + step)


def test_a_timestamp_unwraps_twice() -> None:
    unwrap = rtp.Unwrapper(32)
    values = [unwrap((0xFFFFF000 + step * 0x20000000) & 0xFFFFFFFF) for step in range(20)]
    assert {after - before for before, after in itertools.pairwise(values)} == {0x20000000}
