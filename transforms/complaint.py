"""A log line for what may happen with every frame: written once a second, with a count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

INTERVAL = 1_000_000_000
"""ns between two lines about the same thing: enough to see that it goes on, too few to drown the rest."""


class Complaint:
    """One per thing that can go wrong; used by one thread."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._logger = logger
        self._clock = clock
        self._last: int | None = None
        self._unsaid = 0

    def __call__(self, message: str, *args: object, error: BaseException | None = None) -> None:
        """Logs a warning now, or counts it for the next that is due."""
        now = self._clock()
        if self._last is not None and now - self._last < INTERVAL:
            self._unsaid += 1
            return
        if self._unsaid:
            message, args = message + " (and %d more like it)", (*args, self._unsaid)
        self._logger.warning(message, *args, exc_info=error)
        self._last, self._unsaid = now, 0
