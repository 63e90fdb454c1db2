"""Repair packets: one lost of each set comes back bit by bit, and what is hostile does nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.limits import FEC_HELD, FEC_PACKETS, FEC_WINDOW
from stream.rtc import rtp
from stream.rtc.flexfec import Protection, Recovery, write

SSRC = 0x1234ABCD
FAR = 40_000_000
"""ns of a round trip that retransmissions are slow on."""


def packet(sequence: int, payload: bytes, marker: bool = False, timestamp: int = 90_000) -> bytes:
    return rtp.header(102, marker, sequence, timestamp, SSRC, b"\x10\x30\x31\x00\x07") + payload


def picture(first: int, sizes: list[int]) -> list[tuple[int, bytes]]:
    """A picture's packets, one for each size, numbered on from ``first``."""
    last = len(sizes) - 1
    return [(first + n, packet(first + n & 0xFFFF, bytes([n + 1]) * size, n == last)) for n, size in enumerate(sizes)]


@given(
    first=st.integers(0, 0xFFFF),
    sizes=st.lists(st.integers(0, 1200), min_size=1, max_size=FEC_PACKETS),
    data=st.data(),
)
def test_any_one_lost_packet_comes_back_as_it_was(first: int, sizes: list[int], data: st.DataObject) -> None:
    packets = picture(first, sizes)
    lost = data.draw(st.integers(0, len(packets) - 1))
    recovery = Recovery()
    recovery.media(first - 1, packet(first - 1 & 0xFFFF, b"before"))
    for number, (sequence, sent) in enumerate(packets):
        if number != lost:
            assert recovery.media(sequence, sent) == []
    repair = write(SSRC, [(sequence & 0xFFFF, sent) for sequence, sent in packets])
    assert recovery.repair(repair, SSRC) == [packets[lost][1]]
    assert recovery.recovered == 1


def test_the_header_is_the_drafts() -> None:
    first, second = packet(0xFFFF, b"ab", timestamp=7), packet(1, b"c", marker=True, timestamp=7)
    repair = write(SSRC, [(0xFFFF, first), (1, second)])
    # X bit and CC cancel out, and so do payload type and timestamp; the marker of the second stays, and 14 ^ 13 of lengths.
    assert repair[:8] == bytes([0x00, 0x80, 0x00, 14 ^ 13, 0, 0, 0, 0])
    assert repair[8:12] == bytes([1, 0, 0, 0])
    assert repair[12:16] == SSRC.to_bytes(4)
    assert repair[16:18] == b"\xff\xff"
    # The top bit says that the mask ends here; then the packets at 0 and at 2 from the base.
    assert repair[18:20] == (0x8000 | 1 << 14 | 1 << 12).to_bytes(2)
    assert len(repair) == 20 + 14


def test_two_lost_are_recovered_as_soon_as_one_of_them_comes() -> None:
    packets = picture(10, [100, 200, 300])
    recovery = Recovery()
    recovery.media(*packets[0])
    assert recovery.repair(write(SSRC, packets), SSRC) == []
    assert recovery.media(*packets[1]) == [packets[2][1]]


def test_one_repair_helps_the_next() -> None:
    packets = picture(10, [100, 200, 300])
    recovery = Recovery()
    recovery.media(*packets[0])
    assert recovery.repair(write(SSRC, packets[1:]), SSRC) == []
    assert recovery.repair(write(SSRC, packets[:2]), SSRC) == [packets[1][1], packets[2][1]]


def test_a_repair_before_any_media_and_one_of_another_stream_are_passed_over() -> None:
    packets = picture(10, [100, 200])
    recovery = Recovery()
    assert recovery.repair(write(SSRC, packets), SSRC) == []
    recovery.media(*packets[0])
    assert recovery.repair(write(SSRC + 1, packets), SSRC) == []


@given(st.binary(max_size=80))
def test_any_bytes_are_taken_or_passed_over(payload: bytes) -> None:
    recovery = Recovery()
    recovery.media(100, packet(100, b"x" * 50))
    for found in recovery.repair(payload, SSRC) + recovery.repair(payload[:12] + SSRC.to_bytes(4) + payload[16:], SSRC):
        assert len(found) >= 12


def test_what_is_kept_is_bounded() -> None:
    recovery = Recovery()
    packets = picture(0, [10] * (FEC_WINDOW + 2))
    for kept in packets:
        recovery.media(*kept)
    # The first ones are forgotten, so that two are missing to a repair of them.
    assert recovery.repair(write(SSRC, packets[:2]), SSRC) == []
    for number in range(3 * FEC_HELD):
        missing = picture(1000 + 2 * number, [10, 10])
        recovery.repair(write(SSRC, missing), SSRC)
    # Of the held ones only the newest are left.
    first, newest = picture(1000, [10, 10]), picture(1000 + 2 * (3 * FEC_HELD - 1), [10, 10])
    assert recovery.media(*first[0]) == []
    assert recovery.media(*newest[0]) == [newest[1][1]]


def test_nothing_is_protected_on_a_clean_line_nor_on_a_near_one() -> None:
    protection = Protection()
    for _ in range(20):
        protection.reported(0.0, FAR)
    assert not protection.on
    for _ in range(20):
        protection.reported(0.05, 2_000_000)
    assert not protection.on
    protection.reported(0.05, None)
    assert not protection.on


def test_it_begins_with_loss_and_ends_well_below() -> None:
    protection = Protection()
    states = []
    for loss in [0.02] + 20 * [0.0]:
        protection.reported(loss, FAR)
        states.append(protection.on)
    assert 3 <= states.index(False) < 12
    assert not any(states[states.index(False) :])


@pytest.mark.parametrize(("loss", "packets", "repairs"), [(0.01, 6, 1), (0.02, 9, 2), (0.05, 10, 3), (0.5, 10, 5)])
def test_the_more_is_lost_the_more_repairs_are_sent(loss: float, packets: int, repairs: int) -> None:
    protection = Protection()
    for _ in range(40):
        protection.reported(loss, FAR)
    sent = [protection.sent(sequence, data, last=False, ssrc=SSRC) for sequence, data in picture(0, [50] * packets)[:-1]]
    assert not any(sent)
    assert len(protection.sent(packets - 1, packet(packets - 1, b"x" * 50, True), last=True, ssrc=SSRC)) == repairs


def test_interleaved_repairs_mend_packets_lost_in_a_row() -> None:
    protection = Protection()
    for _ in range(40):
        protection.reported(0.05, FAR)
    packets = picture(0, [50] * 10)
    repairs = [repair for n, kept in enumerate(packets) for repair in protection.sent(*kept, last=n == 9, ssrc=SSRC)]
    recovery = Recovery()
    for kept in packets[:4] + packets[6:]:
        recovery.media(*kept)
    found = [mended for repair in repairs for mended in recovery.repair(repair, SSRC)]
    assert sorted(found) == sorted([packets[4][1], packets[5][1]])
