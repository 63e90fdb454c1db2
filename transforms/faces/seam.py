"""The line between lips that were apart in the camera's picture and are closed in the one to show.

The warp brings them together; what is left of teeth between them, a pixel or a few, is covered with the lips' own colour.
"""

from __future__ import annotations

import torch
from torch import Tensor

from transforms.faces.blend import paste
from transforms.faces.mouth import Light
from transforms.faces.pose import Pose
from transforms.faces.raster import around, polygon
from transforms.faces.regions import LIPS_INNER, LIPS_OUTER
from transforms.faces.warp import COARSEST
from transforms.frame import Frame

APART = 0.05, 0.3
"""cm between the live lips: from the first on something is to be covered, from the second on all of it."""

SHUT = 0.06, 0.3
"""cm between the lips to show: up to the first they are closed, from the second on their inside is to be seen."""

DARK = 0.7
"""Of the lips' colour: little light comes in between."""

LARGE, FINEST = 12.0, 2
"""px per cm from which the warp's cells are its coarsest, and px of one in smaller faces."""

WIDTH = 0.1
"""cm to each side of the line."""


def seam(frame: Frame, live: Tensor, shown: Tensor, pose: Pose, light: Light) -> None:
    """Covers the line. Takes landmarks, px, of the camera's picture and of the one that ``warp`` has just shown."""
    scale = max(pose.scale, 1e-3)
    low, high = list(LIPS_INNER[1:10]), list(LIPS_INNER[:10:-1])
    amount = _ramp(_gap(live, low, high) / scale, *APART) * (1 - _ramp(_gap(shown, low, high) / scale, *SHUT))
    if amount == 0:
        return
    inner, outer = shown[list(LIPS_INNER), :2], shown[list(LIPS_OUTER), :2]
    middle = (inner[1:10] + inner[11:].flip(0)) / 2
    # Towards the outer lips, and never beyond them; the warp's cells leave about one of their own at each lip.
    width = max(WIDTH * scale, 0.75 * (COARSEST if scale >= LARGE else FINEST))
    lips = torch.cat((inner[1:10], inner[11:].flip(0))), torch.cat((outer[1:10], outer[11:].flip(0)))
    away = lips[1] - lips[0]
    length = away.norm(dim=1, keepdim=True).clamp(min=1e-3)
    edge = torch.cat((middle, middle)) + away * (width / length).clamp(max=0.6)
    loop = torch.cat((inner[:1], edge[:9], inner[10:11], edge[9:].flip(0)))
    box = around(loop, width + 1, (frame.width, frame.height))
    if box.empty:
        return
    mask = polygon(loop, box, width) * amount
    paste(frame, (light.lips * DARK)[:, None, None].expand(3, box.height, box.width), mask, box)


def _gap(points: Tensor, low: list[int], high: list[int]) -> float:
    """Mean of the middle columns, px."""
    return float((points[low, :2] - points[high, :2]).norm(dim=1)[2:7].mean())


def _ramp(value: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (value - start) / (end - start)))
