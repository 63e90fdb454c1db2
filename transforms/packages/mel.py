"""A window of sound as a mel spectrogram, as speech models were trained on it.

The scale is that of Slaney's Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above, each band's triangle of area 1.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transforms.audio import SAMPLE_RATE, STREAM_RATE
from transforms.packages.tensors import MelInput

LINEAR = 200 / 3
"""Hz of a mel below 1 kHz."""

BREAK = 1000.0
"""Hz, where the scale turns logarithmic."""

STEP = math.log(6.4) / 27
"""Logarithm of the ratio between two mels above that."""

SILENCE = 1e-5
"""The least amplitude of a band whose logarithm is taken, -100 dB."""


class Mel:
    """One input's spectrogram, made anew for each frame: some 0.2 ms."""

    def __init__(self, described: MelInput, device: torch.device) -> None:
        self._described = described
        self._device = device
        self._window = torch.hann_window(described.fft)
        self._bands = torch.from_numpy(bands(described))
        self.samples = (described.steps - 1) * described.hop + described.fft + 1
        """Of 16 kHz, that a window takes."""

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    def end(self, pts: int, time_base: Fraction, offset: float) -> int:
        """Where the window of a frame ends, as a pts of sound (48 kHz). ``offset`` is in s: more takes later sound."""
        described = self._described
        seconds = described.ahead + offset + (described.fft / 2 - described.hop) / SAMPLE_RATE
        return round((Fraction(pts) * time_base) * STREAM_RATE) + round(seconds * STREAM_RATE)

    def __call__(self, sound: NDArray[np.float32]) -> Tensor:
        """(1, 1, bands, steps), or (1, bands, steps), of ``samples`` samples in [-1, 1]."""
        described = self._described
        samples = torch.from_numpy(sound)
        samples = samples[1:] - described.preemphasis * samples[:-1]
        pieces = samples.unfold(0, described.fft, described.hop) * self._window
        amplitude = torch.fft.rfft(pieces).abs().T
        decibels = 20 * (self._bands @ amplitude).clamp_(min=SILENCE).log10_()
        low, high = described.range
        share = (decibels - described.reference_db - described.floor_db) / -described.floor_db
        mel: Tensor = (share * (high - low) + low).clamp_(low, high)[None].to(self._device)
        return mel[None] if described.channel else mel


def bands(described: MelInput) -> NDArray[np.float32]:
    """(bands, fft / 2 + 1): how much of each frequency is in each band."""
    edges = hertz(np.linspace(_mel(described.low), _mel(described.high), described.bands + 2))
    lines = np.fft.rfftfreq(described.fft, 1 / SAMPLE_RATE)
    rising = (lines[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - lines[None]) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return triangles.astype(np.float32)


def hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = BREAK * np.exp(STEP * (mels - BREAK / LINEAR))
    return np.where(mels < BREAK / LINEAR, mels * LINEAR, above)


def _mel(frequency: float) -> float:
    return frequency / LINEAR if frequency < BREAK else BREAK / LINEAR + math.log(frequency / BREAK) / STEP
