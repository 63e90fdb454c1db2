from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from stream.limits import MILLISECOND, SECOND
from stream.metrics import Metrics
from stream.report import STAGES
from stream.statistics import RATE_SAMPLES, RATE_WINDOW, Rate, Statistics
from transforms.frame import Timeline


class Clock:
    def __init__(self) -> None:
        self.now = 100 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_rate_is_steady(clock: Clock) -> None:
    rate = Rate(clock)
    for _ in range(90):
        clock.now += SECOND // 30
        rate.add(1000)
    per_second, amount = rate.per_second()
    assert per_second == pytest.approx(30, rel=0.02)
    assert amount == pytest.approx(30_000, rel=0.02)


def test_a_rate_falls_to_nothing_when_nothing_comes(clock: Clock) -> None:
    rate = Rate(clock)
    assert rate.per_second() == (0.0, 0.0)
    for _ in range(30):
        clock.now += SECOND // 30
        rate.add(1)
    before, _ = rate.per_second()
    clock.now += SECOND
    after, _ = rate.per_second()
    assert after < before
    clock.now += RATE_WINDOW
    assert rate.per_second() == (0.0, 0.0)


def test_a_rate_keeps_a_bounded_number_of_samples(clock: Clock) -> None:
    rate = Rate(clock)
    for _ in range(3 * RATE_SAMPLES):
        rate.add(1)
    assert len(rate._samples) == RATE_SAMPLES


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_each_stage_has_its_time(clock: Clock, metrics: Metrics) -> None:
    statistics = Statistics(metrics, clock)
    assert set(statistics.latency()) == set(STAGES)
    statistics.sent(Timeline(*(MILLISECOND * at for at in (100, 101, 103, 107, 115, 131))))
    assert {stage: times.p50 for stage, times in statistics.latency().items()} == {
        "decode": 1.0,
        "wait": 2.0,
        "chain": 4.0,
        "encode": 8.0,
        "send": 16.0,
        "total": 31.0,
    }
    assert value(metrics, "doppel_frames_total") == 1
    assert value(metrics, "doppel_frame_stage_seconds_sum", stage="total") == pytest.approx(0.031)


def test_drops_reach_the_metrics_once(clock: Clock, metrics: Metrics) -> None:
    statistics = Statistics(metrics, clock)
    statistics.drops.add("chain_busy", 3)
    statistics.publish_drops()
    statistics.publish_drops()
    statistics.drops.add("chain_busy")
    statistics.drops.add("undecodable")
    statistics.publish_drops()
    assert value(metrics, "doppel_dropped_frames_total", reason="chain_busy") == 4
    assert value(metrics, "doppel_dropped_frames_total", reason="undecodable") == 1


def test_two_streams_share_the_metrics(clock: Clock, metrics: Metrics) -> None:
    for _ in range(2):
        statistics = Statistics(metrics, clock)
        statistics.drops.add("chain_busy", 3)
        statistics.publish_drops()
    assert value(metrics, "doppel_dropped_frames_total", reason="chain_busy") == 6
