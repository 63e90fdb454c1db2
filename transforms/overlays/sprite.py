"""Flat pictures with transparency, put onto a frame at any angle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import Color, rgb_to_yuv444
from transforms.frame import Box, Frame
from transforms.people.resize import halve

SMALLEST = 2
"""px: a picture of less, on its shorter side, is not made smaller for far away."""

THIN = 0.25
"""px²: what covers less of the frame than this is seen from its edge."""


class Place(NamedTuple):
    """Where a sprite is: a parallelogram in frame px, that may be bent like a label on a bottle."""

    corner: tuple[float, float]
    """Its upper left corner."""
    along: tuple[float, float]
    """From there to the upper right one."""
    down: tuple[float, float]
    """From there to the lower left one."""
    bulge: float = 0.0
    """How far the middle is moved in the direction of ``down``, by its length; the sides stay, and between is an ellipse."""

    @property
    def area(self) -> float:
        return abs(self.along[0] * self.down[1] - self.along[1] * self.down[0])

    @property
    def corners(self) -> list[tuple[float, float]]:
        """All that bound it, with the bulge."""
        found = []
        for s, t in ((0, 0), (1, 0), (0, 1), (1, 1), (0, self.bulge), (1, self.bulge), (0, 1 + self.bulge), (1, 1 + self.bulge)):
            x = self.corner[0] + s * self.along[0] + t * self.down[0]
            found.append((x, self.corner[1] + s * self.along[1] + t * self.down[1]))
        return found


class Sprite:
    """A picture with transparency, ready for frames of one kind of colour."""

    def __init__(self, rgba: Tensor, color: Color, device: torch.device) -> None:
        """``rgba`` is (4, h, w) in [0, 1], its colours not multiplied by its opacity."""
        rgba = rgba.to(device)
        # An empty rim, so that edges are soft wherever the picture goes up to its border.
        yuv = torch.cat((rgb_to_yuv444(rgba[:3].contiguous(), color) * rgba[3:], rgba[3:]))
        self.levels = [F.pad(yuv, (1, 1, 1, 1))]
        self.size = (rgba.shape[2], rgba.shape[1])
        while min(yuv.shape[1:]) >= 2 * SMALLEST:
            yuv = halve(yuv) / 4
            self.levels.append(F.pad(yuv, (1, 1, 1, 1)))

    def sampled(self, place: Place, box: Box) -> Tensor:
        """(4, h, w) of the box: Y, U and V codes times opacity, and opacity."""
        width, height = self.size
        reduction = math.sqrt(width * height / place.area)
        level = self.levels[max(0, min(len(self.levels) - 1, round(math.log2(max(1.0, reduction)))))]
        determinant = place.along[0] * place.down[1] - place.along[1] * place.down[0]
        x = torch.arange(box.width, device=level.device) + (box.left + 0.5 - place.corner[0])
        y = (torch.arange(box.height, device=level.device) + (box.top + 0.5 - place.corner[1]))[:, None]
        s = x * (place.down[1] / determinant) - y * (place.down[0] / determinant)
        t = y * (place.along[0] / determinant) - x * (place.along[1] / determinant)
        s = s * 2 - 1
        t = t * 2 - 1
        if place.bulge:
            t = t - 2 * place.bulge * (1 - s.square()).clamp_(min=0.0).sqrt_()
        # The rim makes the picture, which -1 to 1 is of, a little larger.
        grid = torch.stack((s * (1 - 2 / level.shape[2]), t * (1 - 2 / level.shape[1])), -1)
        return F.grid_sample(level[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]


class Drawing(NamedTuple):
    """A sprite and where it is to go."""

    sprite: Sprite
    place: Place
    opacity: float


def lay(frame: Frame, drawings: Sequence[Drawing]) -> None:
    """Draws one over the other onto the frame. Pixels that they leave free stay as they are, to the bit."""
    boxes = [_bounds(drawing, frame) for drawing in drawings]
    shown = [(drawing, box) for drawing, box in zip(drawings, boxes, strict=True) if not box.empty]
    if not shown:
        return
    around = Box(
        min(box.left for _, box in shown),
        min(box.top for _, box in shown),
        max(box.right for _, box in shown),
        max(box.bottom for _, box in shown),
    ).on_chroma_grid(frame.width, frame.height)
    canvas = blank(around, frame.device)
    for (sprite, place, opacity), box in shown:
        picture = sprite.sampled(place, box)
        if opacity < 1:
            picture *= opacity
        rows = slice(box.top - around.top, box.bottom - around.top)
        under = canvas[:, rows, box.left - around.left : box.right - around.left]
        under.mul_(1 - picture[3:]).add_(picture)
    blend(frame, canvas, around)


def blank(box: Box, device: torch.device) -> Tensor:
    """(4, h, w) that shows nothing, of the box's size made even: Y, U and V codes times opacity, and opacity."""
    return torch.zeros((4, box.height + box.height % 2, box.width + box.width % 2), device=device)


def blend(frame: Frame, canvas: Tensor, box: Box) -> None:
    """Puts what ``blank`` made, and others drew on, over the frame; the box is on the chroma grid."""
    clear = 1 - canvas[3]
    y, u, v = frame.writable()
    luma = y[box.top : box.bottom, box.left : box.right]
    new = clear[: box.height, : box.width] * luma
    luma.copy_(new.add_(canvas[0, : box.height, : box.width]).add_(0.5).to(torch.int16))
    small = F.avg_pool2d(canvas[None, 1:], 2)[0]
    for plane, colour in ((u, small[0]), (v, small[1])):
        part = plane[box.top // 2 : -(-box.bottom // 2), box.left // 2 : -(-box.right // 2)]
        part.copy_(((1 - small[2]) * part).add_(colour).add_(0.5).to(torch.int16))


def _bounds(drawing: Drawing, frame: Frame) -> Box:
    place = drawing.place
    if drawing.opacity <= 0 or not place.area > THIN:
        return Box(0, 0, 0, 0)
    x, y = zip(*place.corners, strict=True)
    if not all(map(math.isfinite, (*x, *y))):
        return Box(0, 0, 0, 0)
    left, right = (max(0, min(frame.width, edge)) for edge in (math.floor(min(x)) - 1, math.ceil(max(x)) + 1))
    top, bottom = (max(0, min(frame.height, edge)) for edge in (math.floor(min(y)) - 1, math.ceil(max(y)) + 1))
    return Box(left, top, right, bottom)
