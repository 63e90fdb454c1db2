"""What Prometheus sees of each stream, each model and each device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from stream.limits import SECOND
from stream.tally import StreamTally
from transforms.models.meter import Usage


class Exposition(Collector):
    """A snapshot, taken on the loop by ``look``, put into words in whatever thread ``collect`` is called in.

    A stream has sums and counts of its stages, of which PromQL makes means; histograms, of all streams together, are
    in ``Metrics``: for each stream they would be a hundred lines more.
    """

    def __init__(self, tallies: Callable[[], Iterable[StreamTally]], usages: Callable[[], Sequence[Usage]]) -> None:
        self._tallies = tallies
        self._usages = usages
        self._seen: list[StreamTally] = []

    def look(self) -> None:
        """On the loop."""
        self._seen = list(self._tallies())

    def collect(self) -> Iterator[Metric]:
        yield from _streams(self._seen)
        yield from _models(self._seen, self._usages())
        yield from _devices()


def _streams(tallies: Sequence[StreamTally]) -> Iterator[Metric]:
    state = GaugeMetricFamily("doppel_stream_state", "1; the state that a stream is in is the label.", labels=["stream", "state"])
    pictures = CounterMetricFamily("doppel_stream_pictures", "Encoded pictures, in and out.", labels=["stream", "direction"])
    octets = CounterMetricFamily("doppel_stream_picture_bytes", "Their bytes.", labels=["stream", "direction"])
    drops = CounterMetricFamily("doppel_stream_dropped_frames", "Frames dropped, by reason.", labels=["stream", "reason"])
    stages = SummaryMetricFamily(
        "doppel_stream_stage_seconds", "Time that a stream's frames spent in each stage.", labels=["stream", "stage"]
    )
    steps = SummaryMetricFamily(
        "doppel_stream_transform_seconds", "Time that a stream's frames spent in each transform.", labels=["stream", "transform"]
    )
    errors = CounterMetricFamily(
        "doppel_stream_transform_errors", "Frames that passed without a transform, as it failed.", labels=["stream", "transform"]
    )
    viewers = GaugeMetricFamily("doppel_stream_viewers", "Viewers, a loop's own peer among them.", labels=["stream"])
    outputs = GaugeMetricFamily("doppel_stream_outputs", "Recordings and pushes, by state.", labels=["stream", "state"])
    lost = GaugeMetricFamily(
        "doppel_stream_rtp_packets_lost", "RTP packets lost to or from the peers that are there.", labels=["stream", "direction"]
    )
    trip = GaugeMetricFamily(
        "doppel_stream_round_trip_seconds",
        "RTP round trip of the publisher and the slowest viewer.",
        labels=["stream", "direction"],
    )
    for tally in tallies:
        name = tally.stream
        state.add_metric([name, tally.state], 1)
        pictures.add_metric([name, "in"], tally.pictures_in)
        pictures.add_metric([name, "out"], tally.pictures_out)
        octets.add_metric([name, "in"], tally.bytes_in)
        octets.add_metric([name, "out"], tally.bytes_out)
        for reason, count in tally.drops.items():
            drops.add_metric([name, reason], count)
        for stage, spent in tally.stages.items():
            stages.add_metric([name, stage], spent.frames, spent.nanoseconds / SECOND)
        # A transform that is in the chain twice has one line.
        for key in dict.fromkeys(key for key, _ in tally.transforms):
            same = [spent for other, spent in tally.transforms if other == key]
            steps.add_metric([name, key], sum(each.frames for each in same), sum(each.nanoseconds for each in same) / SECOND)
            if failed := sum(each.errors for each in same):
                errors.add_metric([name, key], failed)
        viewers.add_metric([name], tally.viewers)
        for told, count in tally.outputs.items():
            outputs.add_metric([name, told], count)
        lost.add_metric([name, "in"], tally.lost_receiving)
        lost.add_metric([name, "out"], tally.lost_sending)
        for direction, nanoseconds in (("in", tally.trip_receiving), ("out", tally.trip_sending)):
            if nanoseconds is not None:
                trip.add_metric([name, direction], nanoseconds / SECOND)
    yield from (state, pictures, octets, drops, stages, steps, errors, viewers, outputs, lost, trip)


def _models(tallies: Sequence[StreamTally], usages: Sequence[Usage]) -> Iterator[Metric]:
    runs = CounterMetricFamily("doppel_model_runs", "Times that a network ran.", labels=["model", "device"])
    spent = CounterMetricFamily("doppel_model_seconds", "Time that its device spent on it.", labels=["model", "device"])
    memory = GaugeMetricFamily("doppel_model_memory_bytes", "Its weights that are loaded.", labels=["model", "device"])
    share = CounterMetricFamily(
        "doppel_stream_model_seconds", "Time that devices spent on a stream's networks.", labels=["stream", "model", "device"]
    )
    for usage in usages:
        labels = [usage.model, usage.device]
        runs.add_metric(labels, usage.runs)
        spent.add_metric(labels, usage.seconds)
        memory.add_metric(labels, usage.memory)
    for tally in tallies:
        for usage in tally.usages:
            labels = [tally.stream, usage.model, usage.device]
            share.add_metric(labels, usage.seconds)
    yield from (runs, spent, memory, share)


def _devices() -> Iterator[Metric]:
    memory = GaugeMetricFamily(
        "doppel_device_memory_bytes", "A GPU's memory: in tensors, kept by torch, and in all.", labels=["device", "kind"]
    )
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for number in range(torch.cuda.device_count()):
            name = f"cuda:{number}"
            memory.add_metric([name, "allocated"], torch.cuda.memory_allocated(number))
            memory.add_metric([name, "reserved"], torch.cuda.memory_reserved(number))
            memory.add_metric([name, "total"], torch.cuda.get_device_properties(number).total_memory)
    yield memory
