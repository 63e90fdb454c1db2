"""Small RGB pictures for the networks, taken from YUV planes without converting the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import yuv444_to_rgb
from transforms.frame import Box, Frame

SAMPLES = 3
"""Samples per axis that are averaged into a pixel of a picture that is made smaller: more cost time and show nothing."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A square in the frame, turned about its centre."""

    x: float
    """Centre, frame px."""
    y: float
    side: float
    """px"""
    roll: float
    """Radians, clockwise as the picture is seen."""

    def to_frame(self, points: Tensor, size: int) -> Tensor:
        """(n, 3) points in px of a ``size`` x ``size`` picture of the square, to frame px; z is scaled alike."""
        scale = self.side / size
        turn = torch.tensor(
            [
                [math.cos(self.roll) * scale, math.sin(self.roll) * scale, 0.0],
                [-math.sin(self.roll) * scale, math.cos(self.roll) * scale, 0.0],
                [0.0, 0.0, scale],
            ]
        )
        middle = torch.tensor([size / 2, size / 2, 0.0])
        return torch.addmm(torch.tensor([self.x, self.y, 0.0]), points - middle, turn)


def shrink(frame: Frame, box: Box, width: int, height: int) -> Tensor:
    """(3, height, width) RGB in [0, 1] of a box on the chroma grid, by area."""
    y, u, v = frame.planes
    top, left = box.top // 2, box.left // 2
    bottom, right = -(-box.bottom // 2), -(-box.right // 2)
    yuv = torch.empty((3, height, width), device=frame.device)
    yuv[0] = _shrink(y[box.top : box.bottom, box.left : box.right], width, height)
    yuv[1] = _shrink(u[top:bottom, left:right], width, height)
    yuv[2] = _shrink(v[top:bottom, left:right], width, height)
    return yuv444_to_rgb(yuv, frame.color)


def _shrink(plane: Tensor, width: int, height: int) -> Tensor:
    step = max(1, int(min(plane.shape[0] / height, plane.shape[1] / width)) // SAMPLES)
    return F.interpolate(plane[None, None, ::step, ::step].float(), size=(height, width), mode="area")[0, 0]


def crop(frame: Frame, placement: Placement, size: int) -> Tensor:
    """(3, size, size) RGB in [0, 1] of a turned square; what lies outside the picture repeats its edge."""
    reach = placement.side / 2 * (abs(math.cos(placement.roll)) + abs(math.sin(placement.roll)))
    box = Box(
        max(0, min(frame.width - 2, math.floor(placement.x - reach) - 2)),
        max(0, min(frame.height - 2, math.floor(placement.y - reach) - 2)),
        min(frame.width, max(2, math.ceil(placement.x + reach) + 3)),
        min(frame.height, max(2, math.ceil(placement.y + reach) + 3)),
    ).on_chroma_grid(frame.width, frame.height)
    y, u, v = frame.planes
    chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    luma = y[None, None, box.top : box.bottom, box.left : box.right].float()
    colours = torch.stack((u[chroma], v[chroma]))[None].float()
    # Where a pixel of the crop stands for several of the frame, they are averaged first, or edges would flicker.
    step = max(1, int(placement.side / size))
    if step > 1:
        luma = F.avg_pool2d(luma, step, ceil_mode=True)
        colours = F.avg_pool2d(colours, step, ceil_mode=True)
    middle = size / 2 - 0.5
    scale = placement.side / size
    along = (torch.arange(size, device=frame.device) - middle) * scale
    cos, sin = math.cos(placement.roll), math.sin(placement.roll)
    # grid_sample wants -1 to 1 from edge to edge; the pooled planes may reach a little beyond the box.
    half_width, half_height = luma.shape[3] * step / 2, luma.shape[2] * step / 2
    right = placement.x - box.left - half_width
    down = placement.y - box.top - half_height
    grid = torch.empty((1, size, size, 2), device=frame.device)
    over, under = (along * (cos / half_width) + right / half_width)[None], (along * (-sin / half_width))[:, None]
    torch.add(over, under, out=grid[0, :, :, 0])
    over, under = (along * (sin / half_height) + down / half_height)[None], (along * (cos / half_height))[:, None]
    torch.add(over, under, out=grid[0, :, :, 1])
    yuv = torch.cat(
        (
            F.grid_sample(luma, grid, padding_mode="border", align_corners=False)[0],
            F.grid_sample(colours, grid, padding_mode="border", align_corners=False)[0],
        )
    )
    return yuv444_to_rgb(yuv, frame.color)
