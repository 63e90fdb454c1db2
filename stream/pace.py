"""At most so many frames a second, evenly."""

from __future__ import annotations

CLOCK_RATE = 90_000
"""Hz, of a frame's pts."""

JUMP = 2 * CLOCK_RATE
"""A step of the pts by more than 2 s is a new clock, not a wait."""


class Pace:
    """Decides by the frames' own times, so that it is the same on a fast machine and a slow one."""

    def __init__(self, max_fps: int) -> None:
        self._interval = CLOCK_RATE // max_fps
        self._due: int | None = None

    def admits(self, pts: int) -> bool:
        """Whether the frame at ``pts`` (90 kHz) may pass; half an interval early is on time, since cameras jitter."""
        early = self._interval // 2
        if self._due is None or abs(pts - self._due) > JUMP:
            self._due = pts
        if pts < self._due - early:
            return False
        self._due = max(self._due, pts - early) + self._interval
        return True
