"""Small RGB pictures for the networks, taken from YUV planes without converting the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import yuv444_to_rgb
from transforms.frame import Box, Frame

SAMPLES, COLOUR_SAMPLES = 3, 2
"""Samples per axis that are averaged into a pixel of a picture that is made smaller, of luma and of chroma, where each sample
stands for four pixels: more cost time and show nothing."""


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
        across, down = math.cos(self.roll) * scale, math.sin(self.roll) * scale
        # numpy, which takes a third of torch's time for so few numbers.
        turn = np.array(((across, down, 0.0), (-down, across, 0.0), (0.0, 0.0, scale)), np.float32)
        x, y = self.x - (across - down) * size / 2, self.y - (down + across) * size / 2
        return torch.from_numpy(points.numpy() @ turn + np.array((x, y, 0.0), np.float32))


def shrink(frame: Frame, box: Box, width: int, height: int) -> Tensor:
    """(3, height, width) RGB in [0, 1] of a box on the chroma grid: each pixel the mean of a few within it, evenly spread."""
    y, u, v = frame.planes
    half = Box(box.left // 2, box.top // 2, -(-box.right // 2), -(-box.bottom // 2))
    yuv = torch.empty((3, height, width), device=frame.device)
    for plane, area, out, most in (
        (y, box, yuv[0], SAMPLES),
        (u, half, yuv[1], COLOUR_SAMPLES),
        (v, half, yuv[2], COLOUR_SAMPLES),
    ):
        _shrink(plane, area, out, most)
    return yuv444_to_rgb(yuv, frame.color)


def _shrink(plane: Tensor, area: Box, out: Tensor, most: int) -> None:
    height, width = out.shape
    down, across = (
        max(1, min(most, math.ceil(length / count))) for length, count in ((area.height, height), (area.width, width))
    )
    rows = _places(area.top, area.height, height, down, plane.device) * plane.stride(0)
    columns = _places(area.left, area.width, width, across, plane.device) * plane.stride(1)
    # The samples of a pixel lie in different layers, so that they are added up layer by layer: many times as fast as a pool.
    places = rows[:, None, :, None] + columns[None, :, None, :]
    memory = plane.as_strided(((plane.shape[0] - 1) * plane.stride(0) + (plane.shape[1] - 1) * plane.stride(1) + 1,), (1,))
    samples = memory.index_select(0, places.flatten()).float().view(down * across, height, width)
    torch.mean(samples, 0, out=out)


@lru_cache(maxsize=64)
def _places(first: int, length: int, count: int, samples: int, device: torch.device) -> Tensor:
    """(samples, count): where the samples of each of so many pixels are on a length that begins at ``first``."""
    spread = torch.arange(count * samples, device=device, dtype=torch.float64) + 0.5
    places = (spread * (length / (count * samples))).to(torch.int32) + first
    return places.view(count, samples).t().contiguous()


def crop(frame: Frame, placement: Placement, size: int) -> Tensor:
    """(3, size, size) RGB in [0, 1] of a turned square; what lies outside the picture repeats its edge."""
    reach = placement.side / 2 * (abs(math.cos(placement.roll)) + abs(math.sin(placement.roll)))
    box = Box(
        max(0, min(frame.width - 2, math.floor(placement.x - reach) - 2)),
        max(0, min(frame.height - 2, math.floor(placement.y - reach) - 2)),
        min(frame.width, max(2, math.ceil(placement.x + reach) + 3)),
        min(frame.height, max(2, math.ceil(placement.y + reach) + 3)),
    ).on_chroma_grid(frame.width, frame.height)
    # Where a pixel of the crop stands for several of the frame, they are averaged first, or edges would flicker.
    step = max(1, min(int(placement.side / size), box.width // 2, box.height // 2))
    if step > 1:
        pitch = 2 * step
        box = Box(*box[:2], box.left + box.width // pitch * pitch, box.top + box.height // pitch * pitch)
    y, u, v = frame.planes
    chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    luma = _pooled(y[None, box.top : box.bottom, box.left : box.right], step)
    colours = _pooled(torch.stack((u[chroma], v[chroma])), step)
    along = (torch.arange(size, device=frame.device) - (size / 2 - 0.5)) * (placement.side / size)
    cos, sin = math.cos(placement.roll), math.sin(placement.roll)
    # grid_sample wants -1 to 1 from edge to edge.
    half_width, half_height = box.width / 2, box.height / 2
    right, down = placement.x - box.left - half_width, placement.y - box.top - half_height
    # x and y as one complex number: both sums in one go, and beside each other as grid_sample wants them.
    over = torch.complex(along * (cos / half_width) + right / half_width, along * (sin / half_height) + down / half_height)
    under = torch.complex(along * (-sin / half_width), along * (cos / half_height))
    grid = torch.view_as_real(over + under[:, None])[None]
    yuv = torch.cat([F.grid_sample(part[None], grid, padding_mode="border", align_corners=False)[0] for part in (luma, colours)])
    return yuv444_to_rgb(yuv, frame.color)


def _pooled(planes: Tensor, step: int) -> Tensor:
    """(n, H, W) uint8 to float32, by averaging step x step pixels into one; H and W are multiples of the step."""
    planes = planes.float()
    if step > 1:
        # Sums of slices are many times as fast as a pool.
        planes = reduce(torch.add, [planes[:, i::step] for i in range(step)])
        planes = reduce(torch.add, [planes[:, :, i::step] for i in range(step)]) / step**2
    return planes
