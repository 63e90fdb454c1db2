"""What the controller promises, on a simulated line with its pacer and the feedback's wire format."""

from __future__ import annotations

import pytest

from stream.limits import MILLISECOND, MIN_BITRATE, SECOND
from stream.rtc.congestion.goog_cc import SILENCE, GoogCc
from tests.stream.rtc.congestion.simulation import Call

CEILING = 4_000_000
RATES = [500_000, 1_000_000, 2_000_000, 4_000_000]


@pytest.mark.parametrize("start", [300_000, 1_500_000])
@pytest.mark.parametrize("rate", RATES)
def test_a_stable_line_is_used_to_80_percent_within_5_seconds(rate: int, start: int) -> None:
    call = Call([(0, rate)], start=start, ceiling=CEILING)
    call.run(25)
    assert call.reached(0.8 * rate) < 5
    # Nor is it overrun for longer than that, where the start was too high.
    assert call.fell_to(1.1 * rate) < 1.5
    assert min(call.between(5, 25)) >= 0.75 * rate
    assert max(call.between(5, 25)) <= 1.1 * rate
    assert call.oscillation(5, 25) <= 0.2
    assert call.throughput(5, 25) >= 0.8 * rate
    assert call.standing(0.95, 5, 25) < 60
    assert call.queueing(0.95, 5, 25) < 90
    assert call.pacer.dropped == 0


@pytest.mark.parametrize("rate", [1_000_000, 2_000_000, 4_000_000])
def test_the_rate_halves_within_a_second_of_the_line_and_comes_back(rate: int) -> None:
    call = Call([(0, rate), (10, rate / 2), (20, rate)])
    call.run(30)
    assert call.fell_to(0.525 * rate, after=10) < 1
    assert min(call.between(10, 20)) >= 0.6 * rate / 2
    assert call.mean(12, 20) <= rate / 2
    assert call.standing(0.95, 12, 20) < 60
    assert call.reached(0.8 * rate, after=20) < 5
    assert call.pacer.dropped == 0
    # Fewer pictures while the queue drains, no more.
    assert call.skipped <= 30


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("loss", "share"), [(0.02, 0.8), (0.05, 0.75)])
def test_random_loss_does_not_collapse_it(loss: float, share: float, seed: int) -> None:
    call = Call([(0, 2_000_000)], loss=loss, seed=seed, delay=20 * MILLISECOND, feedback_loss=loss)
    call.run(30)
    assert call.line.lost > 20
    assert call.reached(1_600_000) < 5
    assert min(call.between(5, 30)) >= share * 2_000_000 * 0.75
    assert call.throughput(5, 30) >= share * 2_000_000
    assert call.standing(0.95, 5, 30) < 60


@pytest.mark.parametrize("jitter", [0, 8 * MILLISECOND])
def test_a_clean_line_goes_to_the_ceiling_and_stays(jitter: int) -> None:
    call = Call([(0, 0)], delay=100_000, jitter=jitter)
    call.run(20)
    assert call.reached(CEILING) < 4
    assert set(call.between(4, 20)) == {CEILING}
    assert call.skipped == 0
    # There is nothing to find out any more.
    assert len(call.probes) <= 3


def test_keyframes_are_no_congestion() -> None:
    call = Call([(0, 2_000_000)], keyframes=3)
    call.run(30)
    assert min(call.between(5, 30)) >= 0.8 * 2_000_000
    assert call.throughput(5, 30) >= 0.8 * 2_000_000
    assert call.pacer.dropped == 0


@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_pictures_of_uneven_size_that_come_in_bunches_are_no_congestion(loss: float) -> None:
    call = Call([(0, 2_000_000)], loss=loss, feedback_loss=loss, stalls=0.15, spread=0.6)
    call.run(30)
    assert min(call.between(5, 30)) >= 0.75 * 2_000_000
    assert call.oscillation(5, 30) <= 0.2
    assert call.throughput(5, 30) >= 0.75 * 2_000_000


def test_a_still_picture_keeps_what_the_line_was_found_to_carry() -> None:
    call = Call([(0, 2_000_000)], demand=0.2)
    call.run(30)
    assert min(call.between(5, 30)) >= 0.8 * 2_000_000
    assert max(call.between(5, 30)) <= 1.1 * 2_000_000
    assert call.padded * 8 / 30 < 20_000


def test_a_shallow_queue_that_loses_before_it_delays_is_not_overrun() -> None:
    call = Call([(0, 2_000_000)], depth=60 * MILLISECOND)
    call.run(30)
    assert call.throughput(5, 30) >= 0.8 * 2_000_000
    assert call.line.overflowed < 0.05 * len(call.line.delays)


def test_a_long_way_is_no_queue() -> None:
    call = Call([(0, 2_000_000)], delay=100 * MILLISECOND)
    call.run(20)
    assert call.reached(1_600_000) < 5
    assert call.oscillation(5, 20) <= 0.2
    assert call.skipped == 0


def test_a_dead_line_lowers_the_rate_and_a_living_one_raises_it_again() -> None:
    controller = GoogCc(2_000_000, CEILING)
    for number in range(20):
        controller.sent(number, 1200, number * 10 * MILLISECOND)
    controller.feedback([(number, number * 10 * MILLISECOND) for number in range(20)], 250 * MILLISECOND)
    before, now = controller.target, 250 * MILLISECOND
    opened = [controller.open]
    for number in range(20, 120):
        now += 5 * MILLISECOND
        controller.sent(number, 1200, now)
    opened.append(controller.open)
    controller.tick(now)
    assert controller.target == before
    controller.tick(250 * MILLISECOND + SILENCE)
    assert controller.target < before
    opened.append(controller.open)
    assert opened == [True, False, True]
    for _ in range(100):
        now += SILENCE
        controller.sent(5, 100, now)
        controller.tick(now)
    assert controller.target == MIN_BITRATE


def test_silence_while_nothing_is_sent_says_nothing() -> None:
    controller = GoogCc(2_000_000, CEILING)
    controller.sent(0, 1200, 0)
    controller.feedback([(0, 0)], MILLISECOND)
    before = controller.target
    for second in range(1, 20):
        controller.tick(second * SECOND)
    assert controller.target == before


def test_reports_of_what_was_never_sent_change_nothing() -> None:
    controller = GoogCc(1_500_000, CEILING)
    for second in range(10):
        controller.feedback([(number, None if number % 2 else number) for number in range(1000)], second * SECOND)
        controller.feedback([], second * SECOND)
    assert controller.target == 1_500_000


def test_without_feedback_remb_and_loss_are_heeded_and_with_it_no_more() -> None:
    controller = GoogCc(1_500_000, CEILING)
    controller.remb(900_000, 0)
    assert controller.target == 900_000
    controller.receiver_report(0.3, 50 * MILLISECOND, SECOND)
    assert controller.target < 900_000
    call = Call([(0, 2_000_000)])
    call.loop.every(SECOND, lambda: call.controller.remb(400_000, call.loop.now))
    call.run(10)
    assert call.reached(1_600_000) < 5
    assert min(call.between(5, 10)) > 1_500_000


def test_the_target_stays_within_its_bounds() -> None:
    assert GoogCc(9_000_000, CEILING).target == CEILING
    assert GoogCc(1, CEILING).target == MIN_BITRATE
    call = Call([(0, 60_000)], start=1_500_000)
    call.run(10)
    assert min(call.between(0, 10)) == MIN_BITRATE
