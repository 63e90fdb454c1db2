"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Callable

from stream.rtmp.limits import FIRST_RETRY, LONGEST_RETRY


class Backoff:
    """Doubles with each failure, up to LONGEST_RETRY. Of each wait a random share of up to a half is left out, so that those
    who lost the same server do not all come back at once.
    """

    def __init__(self, random: Callable[[], float] = random.random) -> None:
        """``random`` is in [0, 1)."""
        self._random = random
        self._longest = FIRST_RETRY

    def failed(self, *, refused: bool = False) -> float:
        """s to wait. A server that said no is not asked again soon."""
        longest = LONGEST_RETRY if refused else self._longest
        self._longest = min(2 * self._longest, LONGEST_RETRY)
        return longest * (1 - self._random() / 2)

    def succeeded(self) -> None:
        """The next failure is the first one again."""
        self._longest = FIRST_RETRY
