"""Pictures of which nothing but the coarse colours is left: blocks and blurs, of any size and at any place.

Both are a small matrix per axis, which takes the picture's pixels together into a few values and spreads these over the
pixels again. So they cost little even where they are strong, their size need not be a whole number, they
can be tied to a head that moves by fractions of a pixel, and nothing of the picture's detail exists in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BELL = 0.7
"""Distance of a blur's support points, and the deviation of its two bells, by its own deviation: two make about one."""

REACH = 3.0
"""Deviations after which a bell has ended."""

Kind = Callable[[int, int, int, float, float], NDArray[np.float64]]
"""How much of each pixel is in each value of an axis: (values, pixels), whose columns add up to 1."""


def blocks(first: int, count: int, step: int, anchor: float, unit: float) -> NDArray[np.float64]:
    """Blocks of ``unit`` px, one of them centred on ``anchor``, for ``count`` pixels of ``step`` px from ``first`` on."""
    low = math.floor((first - anchor) / unit + 0.5)
    high = math.floor((first + count * step - anchor) / unit + 0.5)
    starts = (np.arange(low, high + 1) - 0.5) * unit + anchor
    edges = np.arange(count + 1) * step + first
    return np.diff((edges - starts[:, None]).clip(0.0, unit)) / step


def bells(first: int, count: int, step: int, anchor: float, unit: float) -> NDArray[np.float64]:
    """A Gaussian blur with a deviation of ``unit`` px, on a lattice tied to ``anchor``; arguments as for ``blocks``."""
    pitch = unit * BELL
    low = math.floor((first - anchor) / pitch - REACH)
    high = math.ceil((first + count * step - anchor) / pitch + REACH)
    at = np.arange(low, high + 1) * pitch + anchor
    pixels = np.arange(count) * step + first + step / 2
    bell: NDArray[np.float64] = np.exp(((pixels - at[:, None]) / pitch) ** 2 * -0.5)
    bell /= bell.sum(0)
    return bell


class Veil:
    """What is seen of the pixels of a place: the values of both its axes, spread again. Made once, it serves every frame."""

    def __init__(self, down: NDArray[np.float64], across: NDArray[np.float64], device: torch.device) -> None:
        # Made on the host, as a device would spend more on launching.
        self._down, self._across = _placed(down, device), _placed(across, device)
        self._scale = _placed(1 / np.outer(*(np.maximum(axis.sum(1), 1e-6) for axis in (down, across))), device)

    def __call__(self, picture: Tensor, weight: float = 1.0, base: Tensor | float = 0.0) -> Tensor:
        """(..., H, W) to the same shape: times a weight, and with a base added that fits (..., 1, 1)."""
        values = (self._down @ picture @ self._across.T) * (self._scale * weight) + base
        return self._down.T @ (values @ self._across)


def _placed(array: NDArray[np.float64], device: torch.device) -> Tensor:
    return torch.from_numpy(array.astype(np.float32)).to(device)
