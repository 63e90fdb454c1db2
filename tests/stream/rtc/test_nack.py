from __future__ import annotations

from aiortc.rtp import RTCP_RTPFB_NACK, RtcpPacket, RtcpRtpfbPacket
from hypothesis import given
from hypothesis import strategies as st

from stream.limits import NACK_INTERVAL, NACK_PACKETS, NACK_TRIES
from stream.rtc.nack import Nack, write


def test_nothing_is_missing_of_a_whole_stream() -> None:
    nack = Nack()
    assert not any(nack.received(number) for number in range(65_530, 65_550))
    assert nack.due(0) == []


def test_what_was_jumped_over_is_asked_for_at_once_and_again_each_interval() -> None:
    nack = Nack()
    nack.received(10)
    nack.received(13)
    assert nack.due(1000) == [11, 12]
    assert nack.due(1000 + NACK_INTERVAL - 1) == []
    assert nack.due(1000 + NACK_INTERVAL) == [11, 12]


def test_what_arrives_late_is_not_asked_for_again() -> None:
    nack = Nack()
    nack.received(10)
    nack.received(13)
    nack.due(0)
    nack.received(11)
    nack.received(10)
    assert nack.due(NACK_INTERVAL) == [12]


def test_each_packet_is_asked_for_so_often_and_no_more() -> None:
    nack = Nack()
    nack.received(10)
    nack.received(12)
    asked = [nack.due(turn * NACK_INTERVAL) for turn in range(3 * NACK_TRIES)]
    assert asked == [[11]] * NACK_TRIES + [[]] * (2 * NACK_TRIES)


def test_a_longer_round_trip_makes_the_interval_longer() -> None:
    nack = Nack()
    nack.interval = 3 * NACK_INTERVAL
    nack.received(10)
    nack.received(12)
    assert nack.due(0) == [11]
    assert nack.due(3 * NACK_INTERVAL - 1) == []
    assert nack.due(3 * NACK_INTERVAL) == [11]


def test_too_many_missing_packets_are_not_worth_asking_for() -> None:
    nack = Nack()
    nack.received(0)
    assert not nack.received(NACK_PACKETS)
    assert len(nack.due(0)) == NACK_PACKETS - 1
    assert not nack.received(NACK_PACKETS + 1)
    assert nack.received(NACK_PACKETS + 3)
    assert nack.due(NACK_INTERVAL) == []
    assert not nack.received(NACK_PACKETS + 5)
    assert nack.due(2 * NACK_INTERVAL) == [NACK_PACKETS + 4]


def test_what_is_of_no_more_use_is_forgotten() -> None:
    nack = Nack()
    nack.received(0)
    nack.received(5)
    nack.forget_before(3)
    assert nack.due(0) == [3, 4]
    nack.forget_before(None)
    assert nack.due(NACK_INTERVAL) == []


@given(st.lists(st.integers(-300, 3000), max_size=200))
def test_whatever_comes_little_is_asked_for_and_nothing_that_came(numbers: list[int]) -> None:
    nack = Nack()
    for turn, number in enumerate(numbers):
        nack.received(number)
        asked = nack.due(turn * NACK_INTERVAL)
        assert len(asked) <= NACK_PACKETS
        assert asked == sorted(asked)
        assert not set(asked) & set(numbers[: turn + 1])


@given(st.integers(0, 0x1FFFF), st.lists(st.integers(1, 40), min_size=1, max_size=NACK_PACKETS))
def test_the_packet_asks_for_all_and_nothing_else(first: int, steps: list[int]) -> None:
    missing = [first + sum(steps[:index]) for index in range(len(steps))]
    (packet,) = RtcpPacket.parse(write(1, 2, missing))
    assert isinstance(packet, RtcpRtpfbPacket)
    assert (packet.fmt, packet.ssrc, packet.media_ssrc) == (RTCP_RTPFB_NACK, 1, 2)
    assert [number & 0xFFFF for number in packet.lost] == [number & 0xFFFF for number in missing]
