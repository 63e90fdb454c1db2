"""Writes ``docs/metrics.md`` anew: ``python -m docs.metrics``, from the root of the repository.

Names, types, labels and what each tells are those of the collectors; this page adds which of them are worth an alarm.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from signaling.mqtt.metrics import DROPPABLE, RESULTS, MqttMetrics
from stream.exposition import Exposition
from stream.metrics import Metrics
from stream.report import STAGES
from stream.tally import StageTally, StreamTally
from transforms.models.meter import Usage

PAGE = Path(__file__).with_name("metrics.md")

HEAD = f"""\
# Metrics

<!-- Made by `python -m docs.metrics`; change that, or the collectors, instead. -->

`GET /metrics` is in Prometheus's text format and asks for a token with the scope `metrics`, where the server has keys. These
names and labels are stable: one that goes is told in the changelog. Times are in seconds, sizes in bytes. A name that ends
in `_total` only ever grows, and begins at 0 when the server does; what belongs to one stream goes with the stream.

- `stage` is one of {", ".join(f"`{stage}`" for stage in STAGES)}; `total` is all of the
  others together, from a picture's arrival to its departure.
- `direction` is `in` (from the publisher) or `out` (to viewers). Each picture out is counted once for each quality that it is
  encoded in, however many watch.
- A histogram has `_bucket`, `_sum` and `_count`; a summary `_sum` and `_count`, of which
  `rate(..._sum[1m]) / rate(..._count[1m])` is the mean.
- `deploy/grafana` has a dashboard of them, `deploy/prometheus.yml` what asks for them.

"""

ALARMS: Sequence[tuple[str, str]] = (
    ("up == 0", "The server does not answer."),
    (
        'histogram_quantile(0.95, sum by (le) (rate(doppel_frame_stage_seconds_bucket{stage="total"}[5m]))) > 0.1',
        "Pictures take over 100 ms. The same by `stage`, or a stream's `doppel_stream_stage_seconds`, says where.",
    ),
    ("doppel_load_level > 1", "The machine is overloaded: streams get fewer frames (for: 2m)."),
    (
        'sum by (stream, reason) (rate(doppel_stream_dropped_frames_total{reason!="unwatched"}[5m])) > 1',
        "A stream loses frames; the reason says to whom.",
    ),
    ("rate(doppel_stream_transform_errors_total[5m]) > 0", "A transform fails, and frames pass without it."),
    ('doppel_stream_outputs{state="failed"} > 0', "A recording or a push has failed."),
    ('doppel_stream_state{state="waiting"} == 1', "A publisher is lost, and viewers wait for it (for: 1m)."),
    ("rate(doppel_refused_streams_total[5m]) > 0", "Somebody wanted to publish and was turned away."),
    (
        "histogram_quantile(0.99, rate(doppel_loop_lag_seconds_bucket[5m])) > 0.02",
        "The event loop is late, and with it every packet: the log names what held it.",
    ),
    (
        "process_resident_memory_bytes > 6e9",
        "Put what it may have here; it should not grow from day to day.",
    ),
    ("doppel_mqtt_connected == 0", "The broker is away (for: 1m)."),
)


def _collectors() -> Metrics:
    """With one of each label, so that every metric shows which it has."""
    metrics = Metrics()
    MqttMetrics(metrics.registry)
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase) and metric._labelnames:
            metric.labels(*metric._labelnames)
    usage, tally = Usage("", "", 0, 0, 0), StageTally(0, 0, 1)
    stream = StreamTally("", "", 0, 0, 0, 0, {"": tally}, [("", tally)], [usage], {"": 0}, 0, {"": 0}, 0, 0, 0, 0)
    exposition = Exposition(lambda: [stream], lambda: [usage])
    exposition.look()
    metrics.registry.register(exposition)
    return metrics


def families() -> Sequence[Metric]:
    """By name. Raises ValueError where one shows no sample, so that its labels are not known here."""
    found = sorted(_collectors().registry.collect(), key=lambda family: family.name)
    for family in found:
        if not family.samples and family.name != "doppel_device_memory_bytes":
            raise ValueError(f"docs/metrics.py has to give {family.name} a sample, to know its labels")
    return found


def _row(family: Metric) -> str:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label not in ("le", "quantile"))
    # Of GPUs alone, and this machine may have none.
    if family.name == "doppel_device_memory_bytes":
        labels = dict.fromkeys(("device", "kind"))
    return f"| `{name}` | {family.type} | {', '.join(f'`{label}`' for label in labels)} | {family.documentation} |"


def _section(title: str, about: str, found: Iterable[Metric]) -> str:
    return "\n".join(
        [f"## {title}\n", *([f"{about}\n"] if about else []), "| name | type | labels | what it tells |\n|---|---|---|---|"]
        + [_row(family) for family in found]
        + [""]
    )


def document() -> str:
    left = list(families())

    def take(prefix: str) -> Sequence[Metric]:
        found = [family for family in left if family.name.startswith(prefix)]
        left[:] = [family for family in left if family not in found]
        return found

    mqtt = take("doppel_mqtt_")
    streams = take("doppel_stream_")
    devices = [*take("doppel_model_"), *take("doppel_device_")]
    server = take("doppel_")
    broker = (
        f"`kind` is one of {', '.join(DROPPABLE)}; `result` one of {', '.join(RESULTS)}. They are there with `mqtt_url` alone."
    )
    alarms = ["## What to alarm on\n", "| when | what it means |\n|---|---|"]
    alarms += [f"| `{rule}` | {told} |" for rule, told in ALARMS]
    return HEAD + "\n".join(
        [
            *alarms,
            "",
            _section("The server", "All streams together, those that have ended too.", server),
            _section("Each stream", "", streams),
            _section("Models and devices", "A GPU's memory is there where transforms run on one.", devices),
            _section("MQTT", broker, mqtt),
            _section("The process", "On Linux, as every Prometheus client names them.", left),
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(document())
    sys.exit(0)
