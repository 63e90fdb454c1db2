"""Another stream's sound, by this one's time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream.limits import SECOND
from stream.sound.packet import CLOCK_RATE
from transforms.audio import SAMPLE_RATE, STEP, Listener

RETRY = SECOND
"""ns between two looks for a stream that is not there: whoever waits for it will not mind a second."""

APART = CLOCK_RATE // 20
"""48 kHz: 50 ms. Two publishers' clocks that have run apart by more are put together again, with a click that less would
bring about all the time.
"""


class Heard(Protocol):
    """What is asked of a stream's sound."""

    @property
    def zero(self) -> int | None:
        """When its time was 0, monotonic ns; None while nothing came."""

    @property
    def closed(self) -> bool:
        """Whether its stream has ended."""

    def tap(self) -> Listener:
        """Opens it to one who listens."""


class Elsewhere:
    """A ``Listener`` to a stream that may come, end and come again; silent while it is not there. Both streams' times are told
    by one clock, that of their arrival here.
    """

    def __init__(self, zero: Callable[[], int | None], find: Callable[[], Heard | None], clock: Callable[[], int]) -> None:
        """``zero`` is that of the one who listens; ``find`` looks for the other, and is called in the listener's threads."""
        self._zero = zero
        self._find = find
        self._clock = clock
        self._lock = threading.Lock()
        self._there: tuple[Heard, Listener] | None = None
        self._shift: int | None = None
        """What to add to this stream's pts, 48 kHz, for the other's."""
        self._next_look = clock()
        self._over = False

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        """As ``Listener.window``."""
        with self._lock:
            found = self._look()
        if found is None:
            return np.zeros(round(seconds * SAMPLE_RATE), np.float32)
        tap, shift = found
        return tap.window(end + shift, seconds)

    def close(self) -> None:
        """Lets go of it. Safe to call twice."""
        with self._lock:
            self._over = True
            self._leave()

    def _look(self) -> tuple[Listener, int] | None:
        if self._there is not None and self._there[0].closed:
            self._leave()
        now = self._clock()
        if self._there is None and not self._over and now >= self._next_look:
            self._next_look = now + RETRY
            sound = self._find()
            if sound is not None and not sound.closed:
                self._there = sound, sound.tap()
        if self._there is None:
            return None
        sound, tap = self._there
        here, there = self._zero(), sound.zero
        if here is None or there is None:
            return None
        # Whole samples, so that what follows upon another window has no seam.
        shift = (here - there) * SAMPLE_RATE // SECOND * STEP
        if self._shift is None or abs(shift - self._shift) > APART:
            self._shift = shift
        return tap, self._shift

    def _leave(self) -> None:
        there, self._there, self._shift = self._there, None, None
        if there is not None:
            there[1].close()
