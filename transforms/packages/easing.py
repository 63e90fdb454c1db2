"""A number that follows a slider and does not pop."""

from __future__ import annotations

import math

from transforms.frame import Frame

TIME = 0.12
"""Seconds in which a changed setting has come 63 % of its way, as elsewhere."""

CLOSE = 1e-3
"""Of what a number may be off to be where it should be."""


class Clock:
    """Seconds from one frame to the next, by their time stamps; 0 for the first, and where time steps back."""

    def __init__(self) -> None:
        self._time: float | None = None

    def __call__(self, frame: Frame) -> float:
        now = float(frame.pts * frame.time_base)
        elapsed = 0.0 if self._time is None else max(0.0, now - self._time)
        self._time = now
        return elapsed


def eased(value: float, target: float, elapsed: float) -> float:
    """Where a number is ``elapsed`` seconds later on its way."""
    value += (target - value) * (1 - math.exp(-elapsed / TIME))
    return target if abs(target - value) < CLOSE else value
