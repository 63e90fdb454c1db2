"""Decoded sound for transforms that listen."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from stream.sound.packet import CLOCK_RATE
from stream.sound.samples import Resampler
from transforms.audio import SAMPLE_RATE, STEP, Recent

APART = CLOCK_RATE // 500
"""48 kHz: 2 ms. Frames that begin so near to the end of the last go on from it, without a seam."""


class Ear:
    """Puts decoded frames into a ``Recent``. Used by one thread."""

    def __init__(self, recent: Recent) -> None:
        self._recent = recent
        self._resampler = Resampler("mono", SAMPLE_RATE)
        self._expected: float | None = None
        self._written = 0
        """Where the next sample goes, 16 kHz."""

    def __call__(self, frame: AudioFrame, pts: int) -> None:
        """Takes a frame whose first sample is at a pts, 48 kHz. Raises SoundError."""
        if self._expected is None or abs(pts - self._expected) > APART:
            self._resampler.restart()
            self._expected, self._written = pts, round(pts / STEP)
        self._expected += frame.samples * CLOCK_RATE / frame.sample_rate
        samples = self._resampler(frame)[:, 0]
        self._recent.write(self._written * STEP, samples)
        self._written += len(samples)

    def forget(self) -> None:
        """Another publisher begins."""
        self._expected = None


class AudioTap:
    """A ``Listener``: as long as one is held, a stream's sound is decoded."""

    def __init__(self, recent: Recent, on_closed: Callable[[], None]) -> None:
        self._recent = recent
        self._lock = threading.Lock()
        self._on_closed: Callable[[], None] | None = on_closed

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        """As ``Listener.window``."""
        return self._recent.window(end, seconds)

    def close(self) -> None:
        """Lets go of it. Safe to call twice."""
        with self._lock:
            on_closed, self._on_closed = self._on_closed, None
        if on_closed is not None:
            on_closed()
