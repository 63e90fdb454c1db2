"""What Prometheus sees of all streams together; one stream's figures are in its report."""

from __future__ import annotations

import asyncio
import threading

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from stream.report import STAGES

BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.012, 0.016, 0.024, 0.033, 0.05, 0.066, 0.1, 0.15, 0.25, 0.5, 1.0)
"""s: fine around one frame interval of 60 and 30 fps."""


class Metrics:
    """Made once, by the composition root, and handed down."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        stage = Histogram(
            "doppel_frame_stage_seconds",
            "Time that a frame spent in each stage.",
            ["stage"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.stages = {name: stage.labels(name) for name in STAGES}
        self.frames = Counter("doppel_frames_total", "Frames sent to receivers.", registry=self.registry)
        self.drops = Counter("doppel_dropped_frames_total", "Frames dropped, by reason.", ["reason"], registry=self.registry)
        self.datagrams = Counter(
            "doppel_dropped_datagrams_total",
            "Datagrams dropped at the UDP port that all peers share, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.load_level = Gauge(
            "doppel_load_level",
            "0 while the machine keeps up; 1: cheaper encoding; above: fewer frames of every stream.",
            registry=self.registry,
        )
        self.streams = Gauge("doppel_streams", "Streams that exist.", registry=self.registry)
        self.refusals = Counter("doppel_refused_streams_total", "Streams refused, by reason.", ["reason"], registry=self.registry)
        self.refused_calls = Counter(
            "doppel_refused_calls_total",
            "Calls refused for want of a right, by what was wanted; the audit log has the reasons.",
            ["action"],
            registry=self.registry,
        )
        self.loop_lag = Histogram(
            "doppel_loop_lag_seconds", "How late the event loop was for its heartbeat.", buckets=BUCKETS, registry=self.registry
        )
        Gauge("doppel_threads", "Threads of the process that run Python.", registry=self.registry).set_function(
            lambda: float(threading.active_count())
        )
        self._tasks = Gauge("doppel_tasks", "Tasks on the event loop.", registry=self.registry)
        ProcessCollector(registry=self.registry)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Counts this loop's tasks, when asked."""
        self._tasks.set_function(lambda: float(len(asyncio.all_tasks(loop))))
