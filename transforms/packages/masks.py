"""How much of a network's answer is shown, in the unit crop: all in the middle, nothing at its edge."""

from __future__ import annotations

import torch
from torch import Tensor

from transforms.faces.raster import polygon
from transforms.faces.regions import FACE_OVAL
from transforms.frame import Box
from transforms.packages.manifest import FaceCrop

LOWER = 0.5
"""Where the lower half of a face begins, which a lip-sync network draws, by the crop."""

MASK_SIZE = 128
"""px of a mask's side: its edges are soft, so more show nothing."""


def mask_of(crop: FaceCrop, points: Tensor) -> Tensor:
    """(MASK_SIZE, MASK_SIZE) in [0, 1], 0 at its rim. ``points`` are the (478, 2 or more) landmarks in the unit crop."""
    feather = crop.feather
    if crop.mask == "mesh":
        oval = points[list(FACE_OVAL), :2]
        # Half of the soft edge lies outside of a polygon; so it is drawn that much smaller.
        middle = oval.mean(0)
        extent = (oval - middle).norm(dim=1, keepdim=True).clamp(min=1e-3)
        oval = middle + (oval - middle) * (1 - extent.reciprocal() * (feather / 2)).clamp(min=0.0)
        drawn = polygon(oval * MASK_SIZE, Box(0, 0, MASK_SIZE, MASK_SIZE), feather * MASK_SIZE)
        return drawn * _square(feather / 2, points.device)
    if crop.mask == "square":
        return _square(feather, points.device)
    x, y = _places(points.device)
    if crop.mask == "lower":
        half = _smooth((0.5 - torch.hypot(x - 0.5, (y - LOWER).clamp(min=0.0) * (0.5 / (1 - LOWER)))) / feather)
        return half * _smooth((y - LOWER) / feather + 1)
    return _smooth((0.5 - torch.hypot(x - 0.5, y - 0.5)) / feather)


def _square(feather: float, device: torch.device) -> Tensor:
    x, y = _places(device)
    return _smooth((0.5 - (x - 0.5).abs()) / feather) * _smooth((0.5 - (y - 0.5).abs()) / feather)


def _places(device: torch.device) -> tuple[Tensor, Tensor]:
    # From edge to edge, so that the outermost values are 0.
    at = torch.linspace(0.0, 1.0, MASK_SIZE, device=device)
    return at[None], at[:, None]


def _smooth(share: Tensor) -> Tensor:
    share = share.clamp(0.0, 1.0)
    return share * share * (3 - 2 * share)
