"""What Prometheus sees of MQTT."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from signaling.mqtt.message import Kind

DROPPABLE: tuple[Kind, ...] = ("stats", "event", "reply")
"""What is dropped where there is no room, in this order: a reply is what somebody waits for. A state never is."""

RESULTS = ("done", "late", "refused", "invalid", "busy", "failed")
"""done; late: it goes on after its answer; refused: understood, and not to be had; invalid: not understood; busy: too many
waited; failed: a fault of ours."""

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 10.0)
"""s: fine around the 50 ms that a command may take."""


class MqttMetrics:
    """Made once, by the composition root."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge("doppel_mqtt_connected", "Whether the broker is there: 1 or 0.", registry=registry)
        self.connections = Counter("doppel_mqtt_connections_total", "Times that the broker was connected to.", registry=registry)
        dropped = Counter(
            "doppel_mqtt_dropped_messages_total",
            "Messages that the broker never got, by kind: it was away or too slow.",
            ["kind"],
            registry=registry,
        )
        self.dropped = {kind: dropped.labels(kind) for kind in DROPPABLE}
        commands = Counter("doppel_mqtt_commands_total", "Commands, by what came of them.", ["result"], registry=registry)
        self.commands = {result: commands.labels(result) for result in RESULTS}
        self.duration = Histogram(
            "doppel_mqtt_command_seconds",
            "From a command's arrival to its answer, waiting for those before it included.",
            buckets=BUCKETS,
            registry=registry,
        )
