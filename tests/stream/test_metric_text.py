"""Our writing of Prometheus's text format says what prometheus_client's does, and what it writes is read by its parser."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from docs.metrics import families
from stream.metric_text import render
from stream.metrics import Metrics


class Given(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from families()


Read = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: bytes) -> Read:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def headers(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line.startswith("# ") and "_created" not in line]


def test_it_says_what_the_library_says() -> None:
    metrics = Metrics()
    metrics.stages["total"].observe(0.0123)
    metrics.drops.labels("chain_busy").inc(7)
    sources: tuple[Collector, ...] = (metrics.registry, Given())
    for source in sources:
        registry = CollectorRegistry()
        registry.register(source)
        told, wanted = render(source), generate_latest(registry)
        seen = read(told)
        # What the process takes has changed between the two.
        assert seen.keys() == read(wanted).keys()
        assert {key for key, value in read(wanted).items() if value != seen[key]} <= {
            key for key in seen if key[0].startswith("process_")
        }
        assert headers(told) == headers(wanted)
        assert len(seen) > 30


@given(st.text(), st.floats(allow_nan=False))
def test_any_label_and_any_value_come_through(label: str, value: float) -> None:
    registry = CollectorRegistry()
    Gauge("a_gauge", "Of\nlines \\ and more.", ["name"], registry=registry).labels(label).set(value)
    # Other line ends than \n are no line ends to Prometheus; Python's parser splits at \n alone, too.
    assert read(render(registry)) == {("a_gauge", frozenset({("name", label)})): value}


def test_what_is_no_number() -> None:
    registry = CollectorRegistry()
    Gauge("a_gauge", "Nothing.", registry=registry).set(math.nan)
    Counter("a_counter", "Much.", registry=registry).inc(math.inf)
    Histogram("a_histogram", "Few.", registry=registry).observe(-math.inf)
    text = render(registry).decode()
    assert "a_gauge NaN\n" in text
    assert "a_counter_total +Inf\n" in text
    assert "a_histogram_sum -Inf\n" in text
    assert 'a_histogram_bucket{le="+Inf"} 1.0\n' in text
