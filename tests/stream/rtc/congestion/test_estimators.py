"""The controller's parts, each for itself."""

from __future__ import annotations

import itertools

import pytest

from stream.limits import MILLISECOND, SECOND
from stream.rtc.congestion.busy_rate import BusyRate
from stream.rtc.congestion.history import HISTORY, SentHistory
from stream.rtc.congestion.inter_arrival import JUMP, Deltas, InterArrival
from stream.rtc.congestion.loss import LossBound
from stream.rtc.congestion.probing import ANSWER, INTERVAL, LONGEST_INTERVAL, TRIES, Probing
from stream.rtc.congestion.rate_control import DECREASE, RateControl
from stream.rtc.congestion.standing_queue import LONG, MEMORY, PATIENCE, StandingQueue
from stream.rtc.congestion.throughput import Throughput
from stream.rtc.congestion.trendline import Trendline, Usage

MS = MILLISECOND
CEILING = 4_000_000


def test_packets_sent_together_are_one_group() -> None:
    groups = InterArrival()
    arrivals = [(0, 100), (1, 101), (4, 104), (40, 145), (41, 150), (80, 190), (120, 230)]
    deltas = [groups.packet(sent * MS, when * MS) for sent, when in arrivals]
    assert [d for d in deltas if d is not None] == [Deltas(37 * MS, 46 * MS, 150 * MS), Deltas(39 * MS, 40 * MS, 190 * MS)]


def test_packets_that_were_held_up_and_let_go_together_are_one_group() -> None:
    groups = InterArrival()
    arrivals = [(0, 50), (30, 200), (60, 201), (90, 202), (120, 240), (160, 280)]
    deltas = [groups.packet(sent * MS, when * MS) for sent, when in arrivals]
    assert [d for d in deltas if d is not None] == [Deltas(90 * MS, 152 * MS, 202 * MS), Deltas(30 * MS, 38 * MS, 240 * MS)]


def test_another_clock_says_nothing() -> None:
    groups = InterArrival()
    groups.packet(0, 0)
    groups.packet(40 * MS, 40 * MS)
    groups.packet(80 * MS, 80 * MS + 2 * JUMP)
    assert groups.packet(120 * MS, 120 * MS + 2 * JUMP) is None
    assert groups.packet(160 * MS, 160 * MS + 2 * JUMP) is None


@pytest.mark.parametrize(("growth", "usage"), [(0, Usage.NORMAL), (3, Usage.OVER), (-3, Usage.UNDER)])
def test_the_trend_of_the_delay_is_the_usage(growth: int, usage: Usage) -> None:
    line = Trendline()
    for number in range(40):
        line.update(Deltas(30 * MS, (30 + growth) * MS, number * (30 + growth) * MS))
    assert line.usage is usage


def test_one_late_group_is_no_overuse() -> None:
    line = Trendline()
    usages = []
    for number in range(200):
        late = {50: 40, 51: -40}.get(number, 0)
        line.update(Deltas(30 * MS, (30 + late) * MS, number * 30 * MS))
        usages.append(line.usage)
    assert Usage.OVER not in usages


def test_throughput_is_what_arrives_and_a_pause_is_none_of_it() -> None:
    throughput = Throughput()
    for number in range(100):
        throughput.arrived(1250, number * 10 * MS)
    assert throughput.bitrate == pytest.approx(1_000_000, rel=0.02)
    for number in range(100):
        throughput.arrived(1250, 10 * SECOND + number * 10 * MS)
    assert throughput.bitrate == pytest.approx(1_000_000, rel=0.02)
    for number in range(100):
        throughput.arrived(1250, 11 * SECOND + number * 20 * MS)
    assert throughput.bitrate == pytest.approx(500_000, rel=0.1)


def test_there_is_no_throughput_before_half_a_second() -> None:
    throughput = Throughput()
    for number in range(50):
        throughput.arrived(1250, number * 10 * MS)
    assert throughput.bitrate is None


def test_the_busy_rate_is_the_lines_and_not_the_streams() -> None:
    busy = BusyRate()
    # Pictures of 6 packets each 33 ms, over a line of 2 Mb/s: 5 ms for each packet.
    for picture in range(20):
        for packet in range(6):
            sent = picture * 33 * MS
            busy.arrived(1250, sent, sent + (20 + 5 * (packet + 1)) * MS, 25 * MS, 1_500_000)
    assert busy.bitrate == pytest.approx(2_000_000, rel=0.01)


def test_single_packets_say_nothing_of_the_line() -> None:
    busy = BusyRate()
    for number in range(100):
        busy.arrived(1250, number * 33 * MS, number * 33 * MS + 25 * MS, 25 * MS, 1_500_000)
    assert busy.bitrate is None


def test_what_is_not_known_is_not_counted_as_slow() -> None:
    busy = BusyRate()
    when = 0
    for number in range(60):
        if number % 10 == 0:
            busy.interrupted()
            when += 100 * MS
        when += 5 * MS
        busy.arrived(1250, 0, when, 0, 1_500_000)
    assert busy.bitrate == pytest.approx(2_000_000, rel=0.01)


def test_a_queue_stands_where_even_the_quickest_is_late_for_long() -> None:
    queue = StandingQueue()
    offset = -12345 * SECOND
    assert not queue.update(offset, 0)
    stands = [queue.update(offset + LONG, now * MS) for now in range(0, PATIENCE // MS + 50, 50)]
    assert stands == [False] * (PATIENCE // MS // 50) + [True]
    assert not queue.update(offset + LONG // 2, 400 * MS)


def test_a_longer_route_is_a_queue_for_so_long_only() -> None:
    queue = StandingQueue()
    queue.update(0, 0)
    stands = [queue.update(LONG, now * 100 * MS) for now in range(1, 3 * MEMORY // (100 * MS))]
    assert stands[10]
    assert not stands[-1]


def test_a_sent_packet_arrives_once_and_is_lost_once() -> None:
    history = SentHistory()
    for number in range(4):
        history.add(number, 100, number, None)
    assert history.under_way == 400
    assert history.lost(1)
    assert not history.lost(1)
    late = history.arrived(1)
    assert late is not None
    assert late.reported
    assert history.arrived(1) is None
    assert history.under_way == 200
    assert history.before(3) == 100
    assert history.arrived(1 + HISTORY) is None
    assert not history.lost(77)


def test_the_rate_falls_to_85_percent_of_what_the_line_carries() -> None:
    rate = RateControl(2_000_000, 150_000, CEILING)
    rate.update(Usage.OVER, 1_000_000, SECOND)
    assert rate.target == DECREASE * 1_000_000
    # What is already below is left alone.
    rate.update(Usage.OVER, 1_500_000, 2 * SECOND)
    assert rate.target == DECREASE * 1_000_000


def test_the_rate_grows_fast_at_first_and_slowly_near_the_known_limit() -> None:
    rate = RateControl(1_000_000, 150_000, CEILING)
    rate.update(Usage.NORMAL, 1_000_000, 0)
    rate.update(Usage.NORMAL, 1_000_000, SECOND)
    assert rate.target == pytest.approx(1_080_000)
    rate.update(Usage.OVER, 1_050_000, 2 * SECOND)
    rate.update(Usage.NORMAL, 900_000, 3 * SECOND)
    before = rate.target
    rate.update(Usage.NORMAL, 900_000, 4 * SECOND)
    assert 0 < rate.target - before <= 60_000


def test_a_rate_that_is_not_used_grows_no_further() -> None:
    rate = RateControl(1_000_000, 150_000, CEILING)
    for second in range(60):
        rate.update(Usage.NORMAL, 400_000, second * SECOND)
    assert rate.target == 1_000_000


@pytest.mark.parametrize(("lost", "holds"), [(0, False), (1, False), (6, True)])
def test_some_loss_holds_the_rate_and_none_lets_it_grow(lost: int, holds: bool) -> None:
    bound = LossBound(150_000, CEILING)
    bound.bitrate = 1_000_000
    for second in range(5):
        bound.packets(100, lost, 1_000_000, None, 50 * MS, second * SECOND)
    assert (bound.bitrate == 1_000_000) is holds


def test_heavy_loss_is_heeded_at_once() -> None:
    bound = LossBound(150_000, CEILING)
    bound.packets(0, 0, 2_000_000, None, 50 * MS, 0)
    bound.packets(40, 20, 2_000_000, 1_000_000, 50 * MS, 50 * MS)
    assert bound.bitrate <= 1_000_000


def test_bursts_without_an_answer_are_repeated_and_then_grow_rare() -> None:
    probing = Probing(1_000_000, CEILING)
    asked = [now for now in range(0, 120 * SECOND, 50 * MS) if probing.next(1_000_000, True, now) is not None]
    gaps = [after - before for before, after in itertools.pairwise(asked)]
    assert max(gaps[: TRIES - 1]) <= ANSWER + 50 * MS
    assert gaps[-1] == LONGEST_INTERVAL
    assert all(gap >= INTERVAL for gap in gaps[TRIES:])


def test_no_burst_on_a_full_line_nor_at_the_ceiling() -> None:
    probing = Probing(1_000_000, CEILING)
    assert probing.next(1_000_000, False, 0) is None
    assert probing.next(CEILING, True, 0) is None
    probe = probing.next(1_000_000, True, 0)
    assert probe is not None
    assert probe.bitrate == 3_000_000
    assert probe.octets * 8 / probe.bitrate == pytest.approx(0.015, rel=0.01)
