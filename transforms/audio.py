"""A stream's sound as transforms may ask for it: mono, at the rate that speech models take."""

from __future__ import annotations

import threading
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz, of all sound that transforms are given."""

STREAM_RATE = 48_000
"""Hz, of the time stamps of sound: a frame of pts p (90 kHz) is seen while that of p * 48 / 90 is heard."""

HISTORY = 4.0
"""s of sound kept: what models of speech look at, twice, and the longest that pictures come after their sound."""

STEP = STREAM_RATE // SAMPLE_RATE


class Listener(Protocol):
    """What a transform that listens holds: sound is decoded as long as somebody does."""

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        """The sound that ends at a pts (48 kHz): round(seconds * SAMPLE_RATE) samples, -1 to 1, mono; zeros where none is known.

        ``seconds`` is HISTORY at most. Raises ValueError on more, or on less than 0. May be called from any thread.
        """

    def close(self) -> None:
        """Lets go of it. Safe to call twice."""


class Silence:
    """What one hears where there is no sound."""

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        return np.zeros(round(seconds * SAMPLE_RATE), np.float32)

    def close(self) -> None:
        pass


class Voice(NamedTuple):
    """What is heard in a publisher's place."""

    sound: Listener
    """Asked for 20 ms at a time, in a thread of its own."""
    end: int | None = None
    """pts (48 kHz) from which the publisher is heard again; None where it goes on as long as the transform is there."""


class Recent:
    """The last HISTORY of a stream's sound. Written by one thread, read by others."""

    def __init__(self, seconds: float = HISTORY) -> None:
        self._lock = threading.Lock()
        self._length = round(seconds * SAMPLE_RATE)
        self._samples = np.zeros(self._length, np.float32)
        self._end: int | None = None
        """Samples from the zero of the stream's time to the end of what is known."""

    def write(self, pts: int, samples: NDArray[np.float32]) -> None:
        """Puts samples where they belong, pts (48 kHz) being the first one's; what was there before is overwritten."""
        begin = round(pts / STEP)
        end = begin + len(samples)
        with self._lock:
            if self._end is None or end <= self._end - self._length or begin > self._end + self._length:
                # The first, or time has jumped: nothing that is known is near.
                self._samples[:] = 0
                self._end = begin
            if end > self._end:
                self._samples[self._places(max(self._end, end - self._length), end)] = 0
                self._end = end
            oldest = self._end - self._length
            samples = samples[max(0, oldest - begin) :]
            self._samples[self._places(max(begin, oldest), end)] = samples

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        """As ``Listener.window``."""
        wanted = round(seconds * SAMPLE_RATE)
        if not 0 <= wanted <= self._length:
            raise ValueError(f"{seconds:g} s of sound were asked for; 0 to {self._length / SAMPLE_RATE:g} s are kept")
        last = round(end / STEP)
        window = np.zeros(wanted, np.float32)
        with self._lock:
            if self._end is None:
                return window
            first = last - wanted
            begin, known = max(first, self._end - self._length), min(last, self._end)
            if begin < known:
                window[begin - first : known - first] = self._samples[self._places(begin, known)]
        return window

    def forget(self) -> None:
        """Nothing is known any more."""
        with self._lock:
            self._end = None

    def _places(self, begin: int, end: int) -> NDArray[np.intp]:
        return np.arange(begin, end, dtype=np.intp) % self._length
