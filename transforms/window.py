"""The last few durations of something, and their quantiles."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LENGTH = 600
"""Durations kept: 10 s of 60 fps, long enough for a steady p99 and short enough to show what is happening now."""

SPAN = 20_000_000_000
"""ns that a duration counts: with few frames a second, how a stream began would otherwise be told as how it does for a minute."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Milliseconds; zeros where nothing was measured of late."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class Window:
    """Filled by one thread, read by others: appending to and copying a bounded deque are atomic."""

    def __init__(self, length: int = LENGTH, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._durations: deque[tuple[int, int]] = deque(maxlen=length)
        """When each was added, and what it is."""
        self.count = 0
        """How many were ever added."""
        self.total = 0
        """Their sum, ns."""

    def add(self, duration: int) -> None:
        """Takes one duration, ns."""
        self._durations.append((self._clock(), duration))
        self.count += 1
        self.total += duration

    def quantiles(self) -> Quantiles:
        since = self._clock() - SPAN
        ordered = sorted(duration for when, duration in self._durations.copy() if when >= since)
        if not ordered:
            return Quantiles()

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e6, 3)

        return Quantiles(at(0.50), at(0.95), at(0.99))
