"""A source's packets at the pace of their time stamps."""

from __future__ import annotations

import time
from collections.abc import Callable

from stream.limits import SECOND
from stream.media.limits import LATE, TICKS

_LATE = LATE * SECOND // TICKS
"""ns."""


class Pacing:
    """When each packet is due. One that comes late by up to LATE goes on at once, as do those behind it, until it has caught up;
    one that comes later still moves the time by which all that follow are due: no more than LATE is ever hurried after.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._zero: int | None = None
        """ns when the time stamp 0 is due."""

    def wait(self, dts: int) -> float:
        """s until a packet (its dts in ticks) is due; 0 where it is, or is late."""
        now, since = self._clock(), dts * SECOND // TICKS
        if self._zero is None or now - self._zero - since > _LATE:
            self._zero = now - since
        return max(0, self._zero + since - now) / SECOND
