"""Additive and multiplicative increase, multiplicative decrease: draft-ietf-rmcat-gcc-02 section 5.5."""

from __future__ import annotations

from math import sqrt

from stream.limits import MILLISECOND, SECOND
from stream.rtc.congestion.trendline import Usage

DECREASE = 0.85
"""Of what arrives, when the queue grows: enough to drain it."""

GROWTH = 1.08
"""Per second, while the line's capacity is not known."""

HEADROOM = 1.5
"""Of what arrives: a rate that is not used is not proven, and grows no further."""

RESPONSE = 100 * MILLISECOND
"""ns beyond the round trip until a change of the rate shows."""

NEAR = 0.82
"""Of the known capacity: above it the increase is CREEP times slower, since a picture larger than most makes a queue there.
It is the probes' part to find out that the line carries more."""

CREEP = 16

LEAST_STEP = 4_000
"""b/s per second of the additive increase."""

PACKET = 1200 * 8
"""bits: the additive increase is about a packet in each response time."""

REST = 200 * MILLISECOND
"""ns between two decreases at most: until the first shows."""


class LinkCapacity:
    """What arrived when the line was full: mean and deviation."""

    _NEW = 0.05
    """Share of a new sample."""

    def __init__(self) -> None:
        self.estimate: float | None = None
        """kb/s."""
        self._deviation = 0.4

    def full_at(self, bitrate: int) -> None:
        sample = bitrate / 1000
        if self.estimate is None:
            self.estimate = sample
        else:
            self.estimate += self._NEW * (sample - self.estimate)
        norm = max(self.estimate, 1.0)
        error = self.estimate - sample
        self._deviation += self._NEW * (error * error / norm - self._deviation)
        self._deviation = max(0.4, min(self._deviation, 2.5))

    def forget(self) -> None:
        self.estimate = None

    def is_above(self, bitrate: int) -> bool:
        """Whether so much is clearly less than the line carried."""
        return self.estimate is not None and bitrate / 1000 < self.estimate - self._margin

    def is_below(self, bitrate: int) -> bool:
        return self.estimate is not None and bitrate / 1000 > self.estimate + self._margin

    @property
    def _margin(self) -> float:
        return 3 * sqrt(self._deviation * (self.estimate or 0.0))


class RateControl:
    """Turns what the queue does and what arrives into a rate within bounds."""

    def __init__(self, start: int, floor: int, ceiling: int) -> None:
        self.target = float(start)
        """b/s."""
        self.capacity = LinkCapacity()
        self.round_trip = RESPONSE
        """ns."""
        self._floor, self._ceiling = floor, ceiling
        self._holding = False
        self._changed: int | None = None
        self._decreased = -SECOND

    def update(self, usage: Usage, throughput: int | None, now: int) -> None:
        """``throughput`` is what arrives, b/s, where it is known."""
        if usage is Usage.OVER:
            self._decrease(self.target if throughput is None else throughput, now)
        elif usage is Usage.UNDER:
            # The queue drains: what it leaves is not to be filled again yet.
            self._holding = True
        elif self._holding:
            self._holding = False
        else:
            self._increase(throughput, now)
        self._changed = now

    def learned(self, bitrate: int, capacity: int | None, now: int) -> None:
        """A probe showed how much to send, and what the line carries where it found that out."""
        self.capacity.forget()
        if capacity is not None:
            self.capacity.full_at(capacity)
        self.target = max(self._floor, min(bitrate, self._ceiling))
        self._changed = now

    def _increase(self, throughput: int | None, now: int) -> None:
        elapsed = min(now - (now if self._changed is None else self._changed), SECOND) / SECOND
        limit = float(self._ceiling)
        if throughput is not None:
            if self.capacity.is_below(throughput):
                self.capacity.forget()
            limit = min(limit, HEADROOM * throughput + 10_000)
        if self.capacity.estimate is not None:
            step = max(LEAST_STEP, PACKET * SECOND / (self.round_trip + RESPONSE)) * elapsed
            if self.target > NEAR * self.capacity.estimate * 1000:
                step /= CREEP
        else:
            step = self.target * (GROWTH**elapsed - 1)
        self.target = max(self.target, min(self.target + step, limit))

    def _decrease(self, throughput: float, now: int) -> None:
        rest = min(REST, max(10 * MILLISECOND, self.round_trip))
        if now - self._decreased < rest and throughput > self.target / 2:
            return
        lowered = DECREASE * throughput
        if lowered > self.target and self.capacity.estimate is not None:
            lowered = DECREASE * self.capacity.estimate * 1000
        if self.capacity.is_above(int(throughput)):
            self.capacity.forget()
        self.capacity.full_at(int(throughput))
        self.target = max(self._floor, min(self.target, lowered))
        self._holding = True
        self._decreased = now
