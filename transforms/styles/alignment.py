"""Where a face lies as the drawing networks learned it: the FFHQ data set's square, turned with the eyes.

Source: Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks", 2019, appendix A.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from transforms.faces.sampling import Placement

SIZE = 256
"""Side of the networks' pictures, px."""

RIGHT_IRIS, LEFT_IRIS, MOUTH_RIGHT, MOUTH_LEFT = 468, 473, 61, 291
"""Landmarks, named as the person would."""

DOWN = 0.1
"""The square's centre, from the middle of the eyes towards the mouth, by that distance."""

ACROSS_EYES, ACROSS_FACE = 2.0, 1.8
"""Half the square's side is the larger of so many distances between the eyes, and from the eyes to the mouth."""

SMALLEST = 16.0
"""px: a square of less holds no face that can be drawn."""


def aligned(points: Tensor) -> Placement | None:
    """The square of a face of (478, 2 or 3) landmarks in frame px; None where it is too small, or no numbers."""
    (ax, ay), (bx, by), right, left = points[[RIGHT_IRIS, LEFT_IRIS, MOUTH_RIGHT, MOUTH_LEFT], :2].tolist()
    x, y = (ax + bx) / 2, (ay + by) / 2
    down_x, down_y = (right[0] + left[0]) / 2 - x, (right[1] + left[1]) / 2 - y
    side = 2 * max(ACROSS_EYES * math.hypot(bx - ax, by - ay), ACROSS_FACE * math.hypot(down_x, down_y))
    if not math.isfinite(side) or side < SMALLEST:
        return None
    # Between the eyes' own line and what is upright to the way to the mouth: a turned head has short and slanting eyes.
    along_x, along_y = bx - ax + down_y, by - ay - down_x
    return Placement(x + DOWN * down_x, y + DOWN * down_y, side, math.atan2(along_y, along_x))


def within(points: Tensor, placement: Placement) -> Tensor:
    """(n, 2) of (n, 2 or 3) frame px, in px of the square's picture; the reverse of ``Placement.to_frame``."""
    cos, sin = math.cos(placement.roll), math.sin(placement.roll)
    scale = SIZE / placement.side
    turn = torch.tensor([[cos * scale, -sin * scale], [sin * scale, cos * scale]], device=points.device)
    centre = torch.tensor([placement.x, placement.y], device=points.device)
    return (points[:, :2] - centre) @ turn + SIZE / 2
