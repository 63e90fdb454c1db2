"""Pictures of which nothing but the coarse colours is left: blocks and blurs, of any size and at any place.

Both are two small matrices per axis: one that takes the picture's pixels together into a few values, and one that spreads
these over the pixels again. So they cost little even where they are strong, their size need not be a whole number, they
can be tied to a head that moves by fractions of a pixel, and nothing of the picture's detail exists in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

BELL = 0.7
"""Distance of a blur's support points, and the deviation of its two bells, by its own deviation: two make about one."""

REACH = 3.0
"""Deviations after which a bell has ended."""

Axis = tuple[Tensor, Tensor]
"""(values, pixels), whose rows add up to 1, and (pixels, values), whose rows do."""


Kind = Callable[[int, int, int, float, float, torch.device], Axis]


def blocks(first: int, count: int, step: int, anchor: float, unit: float, device: torch.device) -> Axis:
    """Blocks of ``unit`` px, one of them centred on ``anchor``, for ``count`` pixels of ``step`` px from ``first`` on."""
    low = math.floor((first - anchor) / unit + 0.5)
    high = math.floor((first + count * step - anchor) / unit + 0.5)
    starts = ((torch.arange(low, high + 1, device=device) - 0.5) * unit + anchor)[:, None]
    pixels = (torch.arange(count, device=device) * step + first)[None]
    overlap = (torch.minimum(starts + unit, pixels + step) - torch.maximum(starts, pixels)).clamp_(min=0.0)
    return overlap / overlap.sum(1, keepdim=True).clamp_(min=1e-6), overlap.T / overlap.sum(0)[:, None].clamp_(min=1e-6)


def bells(first: int, count: int, step: int, anchor: float, unit: float, device: torch.device) -> Axis:
    """A Gaussian blur with a deviation of ``unit`` px, on a lattice tied to ``anchor``; arguments as for ``blocks``."""
    pitch = unit * BELL
    low = math.floor((first - anchor) / pitch - REACH)
    high = math.ceil((first + count * step - anchor) / pitch + REACH)
    at = (torch.arange(low, high + 1, device=device) * pitch + anchor)[:, None]
    pixels = (torch.arange(count, device=device) * step + first + step / 2)[None]
    bell = torch.exp(((pixels - at) / pitch).square() * -0.5)
    return bell / bell.sum(1, keepdim=True).clamp_(min=1e-6), bell.T / bell.sum(0)[:, None]


def spread(picture: Tensor, down: Axis, across: Axis, weight: float = 1.0) -> Tensor:
    """(..., H, W) to the same shape, through the values of both axes, times a weight."""
    values = (down[0] @ picture @ across[0].T) * weight
    return down[1] @ (values @ across[1].T)
