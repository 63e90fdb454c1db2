"""What the line delivers: bytes that arrived, per time on the receiver's clock."""

from __future__ import annotations

from stream.limits import MILLISECOND, SECOND

FIRST_WINDOW = 500 * MILLISECOND
"""ns before there is an estimate."""

WINDOW = 150 * MILLISECOND
"""ns of one sample after that: four frames."""

UNCERTAINTY = 10.0
"""How little a sample counts that differs from the estimate by as much as the estimate."""

DRIFT = 5.0
"""Variance, kb/s squared, that the estimate gains between two samples, since lines change."""

FIRST_VARIANCE = 50.0


class Throughput:
    """A Bayesian mean of samples: one that is far from the estimate is doubted, several of them are believed."""

    def __init__(self) -> None:
        self._estimate: float | None = None
        """kb/s."""
        self._variance = FIRST_VARIANCE
        self._began: int | None = None
        self._last = 0
        self._octets = 0

    @property
    def bitrate(self) -> int | None:
        """b/s; None before the first window is over."""
        return None if self._estimate is None else int(self._estimate * 1000)

    def arrived(self, size: int, when: int) -> None:
        """Takes an arrival: bytes, and ns of the receiver's clock."""
        if self._began is None or when < self._began or when - self._last > SECOND:
            # The first, another clock, or a pause that says nothing of the line.
            self._began, self._octets = when, 0
        self._last = max(self._last, when) if when >= self._began else when
        window = FIRST_WINDOW if self._estimate is None else WINDOW
        elapsed = when - self._began
        if elapsed >= window:
            self._sample(self._octets * 8 * MILLISECOND / elapsed)
            self._began, self._octets = when, 0
        self._octets += size

    def _sample(self, sample: float) -> None:
        estimate = self._estimate
        if estimate is None:
            self._estimate = sample
            return
        deviation = UNCERTAINTY * abs(estimate - sample) / max(estimate + min(sample, estimate), 1.0)
        doubt, variance = deviation * deviation, self._variance + DRIFT
        self._estimate = (doubt * estimate + variance * sample) / (doubt + variance)
        self._variance = doubt * variance / (doubt + variance)
