"""Against values worked out by hand from RFC 3550, section 6.4.1 and appendix A."""

from __future__ import annotations

import pytest

from stream.limits import MILLISECOND, SECOND
from stream.rtc.reception import Reception

FRAME = 33 * MILLISECOND
TICKS = 2970
"""Of 90 kHz, in 33 ms: so that a steady stream has no jitter at all."""


@pytest.fixture
def reception() -> Reception:
    return Reception(ssrc=7, clock_rate=90_000)


def arrive(reception: Reception, *numbers: int, late: int = 0) -> None:
    for number in numbers:
        reception.add(number, number * TICKS & 0xFFFFFFFF, number * FRAME + late)


def test_a_steady_stream(reception: Reception) -> None:
    arrive(reception, *range(1, 11))
    report = reception.report(SECOND)
    assert (report.ssrc, report.fraction_lost, report.packets_lost, report.highest_sequence, report.jitter) == (7, 0, 0, 10, 0)
    assert (report.lsr, report.dlsr) == (0, 0)


def test_loss_is_told_for_the_interval_and_in_all(reception: Reception) -> None:
    arrive(reception, 1, 2, 4, 5, 6, 8)  # 2 of 8
    report = reception.report(SECOND)
    assert (report.fraction_lost, report.packets_lost) == (256 * 2 // 8, 2)
    arrive(reception, 9, 10, 11, 12)
    report = reception.report(2 * SECOND)
    assert (report.fraction_lost, report.packets_lost) == (0, 2)
    arrive(reception, 16)  # 3 of 4
    report = reception.report(3 * SECOND)
    assert (report.fraction_lost, report.packets_lost) == (192, 5)
    assert reception.lost == 5


def test_an_interval_without_packets_lost_nothing(reception: Reception) -> None:
    arrive(reception, 1)
    reception.report(SECOND)
    assert reception.report(2 * SECOND).fraction_lost == 0


def test_duplicates_make_the_loss_negative(reception: Reception) -> None:
    arrive(reception, 1, 2, 2, 2, 3)
    report = reception.report(SECOND)
    assert (report.fraction_lost, report.packets_lost) == (0, -2)
    assert reception.lost == 0


def test_a_late_packet_is_lost_no_longer(reception: Reception) -> None:
    arrive(reception, 1, 3)
    assert reception.report(SECOND).packets_lost == 1
    arrive(reception, 2)
    assert reception.report(2 * SECOND).packets_lost == 0


def test_the_highest_number_counts_cycles(reception: Reception) -> None:
    arrive(reception, 65_534, 65_535, 65_536, 65_537)
    assert reception.report(SECOND).highest_sequence == 0x10001


def test_jitter_moves_by_a_sixteenth(reception: Reception) -> None:
    arrive(reception, 1)
    arrive(reception, 2, late=16 * MILLISECOND)  # D = 1440 ticks
    assert reception.report(SECOND).jitter == 90
    arrive(reception, 3, late=16 * MILLISECOND)  # D = 0: 90 - 90/16 = 84.375
    assert reception.report(SECOND).jitter == 84
    arrive(reception, 4)  # D = -1440: 84.375 + (1440 - 84.375)/16 = 169.1
    assert reception.report(SECOND).jitter == 169


def test_a_timestamp_that_wraps_is_no_jitter(reception: Reception) -> None:
    arrive(reception, *range(1_446_100, 1_446_120))  # 2**32 / 2970 = 1446116.6
    assert reception.report(SECOND).jitter == 0


def test_a_sender_report_is_echoed_with_its_age(reception: Reception) -> None:
    arrive(reception, 1)
    reception.sender_report(0x1122334455667788, 10 * SECOND)
    report = reception.report(10 * SECOND + SECOND // 4)
    assert (report.lsr, report.dlsr) == (0x33445566, 65_536 // 4)
    assert reception.report(10 * SECOND + 1_000_000 * SECOND).dlsr == 0xFFFFFFFF
