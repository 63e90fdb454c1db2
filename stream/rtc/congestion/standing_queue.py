"""A queue that neither grows nor drains, which a slope does not show: packets on their way for longer than the quickest."""

from __future__ import annotations

from stream.limits import MILLISECOND, SECOND

LONG = 80 * MILLISECOND
"""ns above the quickest packet's way: more than the frames of a stream make by themselves."""

PATIENCE = 250 * MILLISECOND
"""ns for which even the quickest packet of each feedback was late: longer than a keyframe takes to pass."""

MEMORY = 10 * SECOND
"""ns for which the quickest packet is remembered, at most twice: routes and clocks change."""


class StandingQueue:
    """Compares one-way delays, whose unknown offset is the same for all."""

    def __init__(self) -> None:
        self._quickest: int | None = None
        self._quickest_before: int | None = None
        self._began = 0
        self._late_since: int | None = None

    @property
    def quickest(self) -> int:
        """The least delay of late, ns. Only after an update."""
        assert self._quickest is not None
        return self._quickest if self._quickest_before is None else min(self._quickest, self._quickest_before)

    def update(self, delay: int, now: int) -> bool:
        """Takes the least delay (arrival minus sending, ns) of a feedback's packets; whether a queue stands."""
        if self._quickest is None or now - self._began > MEMORY:
            self._quickest_before, self._quickest, self._began = self._quickest, delay, now
        self._quickest = min(self._quickest, delay)
        if delay - self.quickest < LONG:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = now
        return self._late_since is not None and now - self._late_since >= PATIENCE
