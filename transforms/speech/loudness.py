"""How loud a voice is, against how loud it has been and against the noise around it."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

FRAME = 160
"""Samples of one measurement: 10 ms of 16 kHz."""

FAINTEST = -52.0
"""dB of full scale: what is fainter is silence, whatever else is heard."""

RANGE = 30.0
"""dB from a loud vowel down to what is no longer speech."""

OVER_NOISE = 8.0
"""dB by which a voice is louder than the noise."""

FORGET = 3.0
"""dB a second by which the loudest is forgotten; a voice that turns away from the microphone comes back in some seconds."""

RISE = 4.0
"""dB a second by which noise is taken to grow while it isn't heard alone."""

QUIETEST_VOICE = -32.0
"""dB below which the loudest does not fall: nobody's breath is a shout."""

MEMORY = 200
"""Measurements kept: 2 s."""


class Loudness:
    """Used by one thread."""

    def __init__(self) -> None:
        self._loudest, self._noise = QUIETEST_VOICE, -80.0
        self._levels: deque[float] = deque(maxlen=MEMORY)
        self._end = 0
        """How many frames since the zero of the samples' places."""

    def hear(self, begin: int, samples: NDArray[np.float32]) -> None:
        """Takes whole frames; the first sample is at a place (16 kHz) that is a multiple of FRAME."""
        frames = samples.reshape(-1, FRAME)
        if begin // FRAME != self._end:
            self._levels.clear()
        for power in np.mean(np.square(frames - frames.mean(1, keepdims=True)), 1).tolist():
            self._levels.append(self._level(10 * math.log10(power + 1e-10)))
        self._end = begin // FRAME + len(frames)

    def _level(self, db: float) -> float:
        step = FRAME / 16_000
        up = db - self._loudest
        self._loudest = max(QUIETEST_VOICE, self._loudest + (0.3 * up if up > 0 else -FORGET * step))
        self._noise += 0.3 * (db - self._noise) if db < self._noise else RISE * step
        low = max(FAINTEST, self._loudest - RANGE, min(self._noise + OVER_NOISE, self._loudest - RANGE / 2))
        return min(1.0, max(0.0, (db - low) / (self._loudest - low)))

    def between(self, begin: float, end: float) -> NDArray[np.float64]:
        """The levels, 0 silent to 1 loud, of 10 ms each, from one time in s to another; 0 where none is known."""
        first, last = round(begin * 100), round(end * 100)
        oldest = self._end - len(self._levels)
        return np.array(
            [self._levels[i - oldest] if oldest <= i < self._end else 0.0 for i in range(first, max(last, first + 1))]
        )
