from __future__ import annotations

from stream.limits import MILLISECOND, MIN_BITRATE, SECOND
from stream.rtc.congestion.reported import ReportedRate

TRIP = 50 * MILLISECOND


def test_remb_is_the_rate_on_a_line_that_loses_nothing() -> None:
    rate = ReportedRate(1_500_000, 4_000_000)
    assert rate.target == 1_500_000
    for bitrate, target in ((800_000, 800_000), (3_000_000, 3_000_000), (50_000_000, 4_000_000), (10, MIN_BITRATE)):
        rate.remb(bitrate, 0)
        assert rate.target == target


def test_loss_lowers_it_under_what_remb_says_and_recovery_is_slow() -> None:
    rate = ReportedRate(1_500_000, 4_000_000)
    rate.remb(2_000_000, 0)
    rate.receiver_report(0.2, TRIP, SECOND)
    lowered = rate.target
    assert lowered == 1_800_000
    rate.remb(2_000_000, SECOND)
    assert rate.target == lowered
    rate.receiver_report(0.05, TRIP, 2 * SECOND)
    assert rate.target == lowered
    rate.receiver_report(0.0, TRIP, 3 * SECOND)
    assert lowered < rate.target <= 1.09 * lowered


def test_heavy_loss_report_after_report_ends_at_the_floor() -> None:
    rate = ReportedRate(1_500_000, 4_000_000)
    for second in range(100):
        rate.receiver_report(1.0, TRIP, second * SECOND)
    assert rate.target == MIN_BITRATE


def test_nothing_is_probed_and_the_line_is_always_open() -> None:
    rate = ReportedRate(1_500_000, 4_000_000)
    rate.sent(0, 100_000_000, 0)
    rate.feedback([(0, None)], SECOND)
    rate.tick(100 * SECOND)
    assert rate.open
    assert rate.probe(100 * SECOND) is None
    assert rate.target == 1_500_000
