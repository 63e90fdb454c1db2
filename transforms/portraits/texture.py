"""A portrait's face as planes in a stream's own colour, in several sizes, so that it is never shown too coarse or too fine."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import Color, rgb_to_yuv444
from transforms.faces.mesh import VERTICES
from transforms.faces.raster import polygon
from transforms.faces.regions import LEFT_EYE, LIPS_INNER, RIGHT_EYE
from transforms.frame import Box
from transforms.portraits.bare import bare, eroded
from transforms.portraits.creases import mouth_width
from transforms.portraits.portrait import Portrait, frame_of
from transforms.portraits.tone import gaussian

LARGEST = 720.0
"""px from chin to forehead: larger on screen is rare, and is enlarged then."""

STEP = math.sqrt(2)
"""From one size to the next."""

SIZES = 8
"""Down to a tenth of the largest."""

STICKY = 0.25
"""Steps by which a face must have grown or shrunk beyond the middle between two sizes before the other one is shown."""

ROOM = 0.06
"""Around the mesh, by its size: what filters look at."""


class Size(NamedTuple):
    """A portrait's face in one size."""

    luma: Tensor
    """(1, 1, h, w) float32 codes, from black on."""
    chroma: Tensor
    """(1, 2, ceil(h/2), ceil(w/2)) float32 codes about 0."""
    points: Tensor
    """(468, 2): the mesh's vertices, from -1 to 1 from edge to edge, as ``grid_sample`` wants them."""


class Texture:
    """One portrait on one device; resized when it is made, which takes some 50 ms."""

    def __init__(self, portrait: Portrait, device: torch.device) -> None:
        points = portrait.landmarks[:VERTICES, :2]
        low, high = points.aminmax(dim=0)
        room = float((high - low).max()) * ROOM
        width, height = portrait.size
        left, top = (max(0, math.floor(float(edge) - room)) for edge in low)
        right, bottom = (
            max(start + 2, min(limit, math.ceil(float(edge) + room)))
            for start, limit, edge in zip((left, top), (width, height), high, strict=True)
        )
        extent = torch.tensor([right - left, bottom - top])
        self._points = ((points - torch.tensor([left, top])) / extent * 2 - 1).to(device)
        cut = _sealed(portrait.rgb[:, top:bottom, left:right], points - torch.tensor([left, top]))
        scale = LARGEST / float(high[1] - low[1])
        picture = frame_of(portrait.rgb, torch.device("cpu"))
        self.bare = bare(picture, portrait.landmarks[:VERTICES], portrait.pose.scale).to(device)
        """(468,) where the portrait shows skin and not its hair."""
        self.skin = eroded(self.bare)
        """(468,) where it shows nothing else for certain."""
        self.mouth = mouth_width(portrait.landmarks, portrait.pose.scale)
        """cm"""
        self._rgb = [_resized(cut, scale / STEP**which).to(device) for which in range(SIZES)]
        self._sizes: dict[tuple[int, Color], Size] = {}

    def pick(self, height: float, before: int | None) -> int:
        """Which size is right for a face of that height on the screen, px, if another one was shown before."""
        wanted = math.log(LARGEST / max(height, 1.0), STEP)
        if before is not None and abs(wanted - before) < 0.5 + STICKY:
            return before
        return min(SIZES - 1, max(0, round(wanted)))

    def size(self, which: int, color: Color) -> Size:
        """In a stream's colour: made when first asked for."""
        if (which, color) not in self._sizes:
            if len(self._sizes) >= 2 * SIZES:
                self._sizes.clear()
            yuv = rgb_to_yuv444(self._rgb[which], color)
            chroma = F.avg_pool2d(yuv[1:][None] - 128, 2)
            self._sizes[which, color] = Size((yuv[:1] - color.black)[None].contiguous(), chroma.contiguous(), self._points)
        return self._sizes[which, color]


def _sealed(rgb: Tensor, points: Tensor) -> Tensor:
    """Without eyeballs and teeth: the live ones show, and where live lids and lips are closed nothing must show between them.
    What is there instead goes over smoothly from what is around."""
    box = Box(0, 0, rgb.shape[2], rgb.shape[1])
    for loop in (LEFT_EYE, RIGHT_EYE, LIPS_INNER):
        rim = points[list(loop)]
        width = float((rim[0] - rim[len(loop) // 2]).norm())
        inside = polygon(rim, box, max(1.0, 0.05 * width))
        kept = (polygon(rim.mean(0) + (rim - rim.mean(0)) * 1.25, box, 2.0) - inside).clamp(min=0)
        sigma = max(1.0, 0.12 * width)
        down, across = (gaussian(length, sigma, rgb.device) for length in (box.height, box.width))
        filled = (down @ (rgb * kept) @ across) / (down @ kept @ across).clamp(min=1e-6)
        near = inside > 0
        rgb = torch.where(near, torch.lerp(rgb, filled.clamp(0, 1), inside), rgb)
    return rgb


def _resized(rgb: Tensor, scale: float) -> Tensor:
    size = [max(4, round(side * scale / 2) * 2) for side in rgb.shape[1:]]
    return F.interpolate(rgb[None], size, mode="bicubic", align_corners=False, antialias=True)[0].clamp(0, 1)
