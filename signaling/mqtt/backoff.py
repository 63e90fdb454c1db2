"""How long to wait before connecting again."""

from __future__ import annotations

import random
from collections.abc import Callable

from signaling.mqtt.limits import FIRST_RETRY, LONGEST_RETRY, STEADY


class Backoff:
    """Doubles with each failure, up to LONGEST_RETRY. Of each wait a random share of up to a half is left out, so that a fleet
    that lost its broker does not come back at one instant.
    """

    def __init__(self, random: Callable[[], float] = random.random) -> None:
        """``random`` is in [0, 1)."""
        self._random = random
        self._longest = FIRST_RETRY

    def failed(self, lasted: float) -> float:
        """s to wait, after a connection that lasted so many s."""
        if lasted >= STEADY:
            self._longest = FIRST_RETRY
        longest, self._longest = self._longest, min(2 * self._longest, LONGEST_RETRY)
        return longest * (1 - self._random() / 2)
