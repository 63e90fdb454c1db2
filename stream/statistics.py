"""What one stream measures: latency by stage, rates, drops."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from stream.frame_queue import Drops
from stream.limits import SECOND
from stream.metrics import Metrics
from stream.report import STAGES
from stream.tally import StageTally
from transforms.frame import Timeline
from transforms.window import Quantiles, Window

RATE_WINDOW = 2 * SECOND
"""ns over which rates are taken: short enough to show a stall, long enough to be steady."""

RATE_SAMPLES = 512
"""Frames kept for that: over 2 s at 240 fps."""


SMOOTHING = 30
"""Frames over which the delay is averaged: a second, so that sound that waits for it does not swing with each frame."""


class Rate:
    """Things per second, over the last RATE_WINDOW. Filled by one thread, read by others."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._samples: deque[tuple[int, int]] = deque(maxlen=RATE_SAMPLES)
        self.count = 0
        self.total = 0
        """Of all amounts."""

    def add(self, amount: int) -> None:
        self._samples.append((self._clock(), amount))
        self.count += 1
        self.total += amount

    def per_second(self) -> tuple[float, float]:
        """(samples per second, amount per second)."""
        now = self._clock()
        recent = [(when, amount) for when, amount in self._samples.copy() if now - when <= RATE_WINDOW]
        if len(recent) < 2:
            return 0.0, 0.0
        # From the first to now, so that a stalled stream falls towards 0; not less than one interval beyond the last.
        span = max(now - recent[0][0], 1) / SECOND
        return round((len(recent) - 1) / span, 2), sum(amount for _, amount in recent[1:]) / span


class Statistics:
    """Written by a stream's threads and the loop, read for its report."""

    def __init__(self, metrics: Metrics, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._metrics = metrics
        self._windows = {stage: Window() for stage in STAGES}
        self._told: dict[str, int] = {}
        self.drops = Drops()
        self.incoming = Rate(clock)
        """Pictures received, and their bytes."""
        self._delay = 0.0

    def sent(self, timeline: Timeline) -> None:
        """A frame has left: notes how long each stage took. On the loop."""
        marks = (
            ("decode", timeline.received, timeline.decoded),
            ("wait", timeline.decoded, timeline.taken),
            ("chain", timeline.taken, timeline.transformed),
            ("encode", timeline.transformed, timeline.encoded),
            ("send", timeline.encoded, timeline.sent),
            ("total", timeline.received, timeline.sent),
        )
        for stage, begin, end in marks:
            self._windows[stage].add(end - begin)
            self._metrics.stages[stage].observe((end - begin) / SECOND)
        self._metrics.frames.inc()
        self._delay += (timeline.sent - timeline.received - self._delay) / SMOOTHING

    def delay(self) -> int:
        """How long pictures take of late from their arrival until they have left, ns; 0 before the first. On the loop."""
        return int(self._delay)

    def latency(self) -> Mapping[str, Quantiles]:
        return {stage: window.quantiles() for stage, window in self._windows.items()}

    def stages(self) -> Mapping[str, StageTally]:
        return {stage: StageTally(window.count, window.total) for stage, window in self._windows.items()}

    def publish_drops(self) -> None:
        """Adds what was dropped since the last call to the process's metrics. On the loop."""
        for reason, count in self.drops.snapshot().items():
            self._metrics.drops.labels(reason).inc(count - self._told.get(reason, 0))
            self._told[reason] = count
