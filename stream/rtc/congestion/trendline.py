"""Whether the queue on the line grows: a line fitted through the delays of late.

draft-ietf-rmcat-gcc-02 section 5.4 with the trendline filter that took the Kalman filter's place in libwebrtc
(Carlucci et al., Congestion Control for Web Real-Time Communication, IEEE/ACM ToN 2017, for the adaptive threshold).
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from stream.limits import MILLISECOND
from stream.rtc.congestion.inter_arrival import Deltas

WINDOW = 20
"""Groups through which the line is fitted."""

SMOOTHING = 0.9
"""Share of the old in the smoothed delay."""

FEWEST = 8
"""Groups before the line is fitted at all: at the start only a steep rise counts, but that one soon."""

GAIN = 4.0
MAX_DELTAS = 60
"""Groups after which the trend counts in full: the first few are mostly noise."""

THRESHOLD = 12.5
"""ms, as are all thresholds: of the trend times its gain and its number of groups."""

LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 6.0, 600.0
UP, DOWN = 0.0087, 0.039
"""Per ms: the threshold rises slowly, lest it never sees another flow's queue, and falls fast."""

SPIKE = 15.0
"""ms over the threshold beyond which a sample says nothing of the line's own noise."""

LONGEST_STEP = 100.0
"""ms for which one sample may move the threshold."""

OVERUSE_TIME = 10.0
"""ms that the trend has to stay over the threshold."""


class Usage(Enum):
    """What the line's queue does."""

    NORMAL = "normal"
    OVER = "over"
    """It grows."""
    UNDER = "under"
    """It drains."""


class Trendline:
    """Fed with the deltas between groups of packets; ``usage`` is what they say."""

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self._delays: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        """(arrival, smoothed delay), ms."""
        self._began: int | None = None
        self._count = 0
        self._delay = 0.0
        self._smoothed = 0.0
        self._trend = 0.0
        self._threshold = THRESHOLD
        self._over_for: float | None = None
        self._over_count = 0
        self._updated: float | None = None

    def update(self, deltas: Deltas) -> None:
        if self._began is None:
            self._began = deltas.when
        when = (deltas.when - self._began) / MILLISECOND
        self._count = min(self._count + 1, MAX_DELTAS)
        self._delay += (deltas.arrived - deltas.sent) / MILLISECOND
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._delay
        self._delays.append((when, self._smoothed))
        trend = self._trend
        if len(self._delays) >= FEWEST:
            trend = _slope(self._delays, trend)
        self._detect(trend, deltas.sent / MILLISECOND, when)
        self._trend = trend

    def _detect(self, trend: float, elapsed: float, when: float) -> None:
        if self._count < 2:
            return
        scaled = self._count * trend * GAIN
        if scaled > self._threshold:
            self._over_for = elapsed / 2 if self._over_for is None else self._over_for + elapsed
            self._over_count += 1
            if self._over_for > OVERUSE_TIME and self._over_count > 1 and trend >= self._trend:
                self._over_for, self._over_count = 0.0, 0
                self.usage = Usage.OVER
        else:
            self._over_for, self._over_count = None, 0
            self.usage = Usage.UNDER if scaled < -self._threshold else Usage.NORMAL
        self._adapt(scaled, when)

    def _adapt(self, scaled: float, when: float) -> None:
        step = min(when - (when if self._updated is None else self._updated), LONGEST_STEP)
        self._updated = when
        distance = abs(scaled) - self._threshold
        if distance > SPIKE:
            return
        self._threshold += (DOWN if distance < 0 else UP) * distance * step
        self._threshold = max(LOWEST_THRESHOLD, min(self._threshold, HIGHEST_THRESHOLD))


def _slope(points: deque[tuple[float, float]], otherwise: float) -> float:
    """Least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    denominator = sum((x - mean_x) ** 2 for x, _ in points)
    if denominator == 0:
        return otherwise
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / denominator
