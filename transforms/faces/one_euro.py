"""A low-pass filter that is slow for what rests and quick for what moves."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class OneEuro:
    """The One-Euro filter (Casiez, Roussel, Vogel: "1 EUR Filter", CHI 2012), element by element of a tensor.

    Its cut-off is ``least_cutoff + beta * speed``; time is whatever the caller says it is, so nothing depends on a clock.
    """

    def __init__(self, least_cutoff: float = 1.0, beta: float = 0.0, speed_cutoff: float = 1.0) -> None:
        """Cut-offs in Hz; ``beta`` in Hz per unit of speed."""
        self._least_cutoff = least_cutoff
        self._beta = beta
        self._speed_cutoff = speed_cutoff
        self._time = 0.0
        self._value: Tensor | None = None
        self._speed: Tensor | None = None

    def reset(self) -> None:
        """Forgets the past: the next value passes as it is."""
        self._value = self._speed = None

    def __call__(self, value: Tensor, time: float, scale: float = 1.0) -> Tensor:
        """Filters the value at a time in seconds. Speed is measured in units of ``scale`` per second.

        Time that stands still or runs backwards starts afresh.
        """
        elapsed = time - self._time
        self._time = time
        if self._value is None or self._speed is None or elapsed <= 0 or self._value.shape != value.shape:
            self._value, self._speed = value, torch.zeros_like(value)
            return value
        speed = (value - self._value) / (elapsed * scale)
        self._speed = torch.lerp(self._speed, speed, _share(self._speed_cutoff, elapsed))
        cutoff = self._speed.abs().mul_(self._beta).add_(self._least_cutoff)
        # alpha = r / (r + 1) with r = 2 pi cutoff elapsed: the same as _share, for a tensor of cut-offs
        ratio = cutoff.mul_(2 * math.pi * elapsed)
        self._value = torch.lerp(self._value, value, ratio / (ratio + 1))
        return self._value


def _share(cutoff: float, elapsed: float) -> float:
    """How much of a new value a first-order low-pass takes on, 0 to 1."""
    ratio = 2 * math.pi * cutoff * elapsed
    return ratio / (ratio + 1)
