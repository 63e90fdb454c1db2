"""The last few durations of something, and their quantiles."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

LENGTH = 600
"""Durations kept: 20 s of 30 fps, long enough for a steady p99 and short enough to show what is happening now."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Milliseconds; zeros where nothing was measured yet."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class Window:
    """Filled by one thread, read by others: appending to and copying a bounded deque are atomic."""

    def __init__(self, length: int = LENGTH) -> None:
        self._durations: deque[int] = deque(maxlen=length)
        self.count = 0
        """How many were ever added."""
        self.total = 0
        """Their sum, ns."""

    def add(self, duration: int) -> None:
        """Takes one duration, ns."""
        self._durations.append(duration)
        self.count += 1
        self.total += duration

    def quantiles(self) -> Quantiles:
        ordered = sorted(self._durations.copy())
        if not ordered:
            return Quantiles()

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e6, 3)

        return Quantiles(at(0.50), at(0.95), at(0.99))
