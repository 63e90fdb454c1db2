"""What is shown in a person's stead: the room out of focus, or a picture. Planes are at half size, YUV codes, float32."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import Color, rgb_to_yuv
from transforms.people.matte import Matte, box
from transforms.people.resize import enlarge, halve

STRICTNESS = 8.0
"""A cell that is, with its neighbours, an eighth person has no say about the room: it has their colours already."""

TRUST = 0.02
"""Share of a blur's window that must be room for the window alone to decide; with less, the surroundings join in."""

SURROUNDINGS = 0.1
"""Standard deviation of the blur that joins in, of the height: wide enough to look past a head's edge."""

FINE = 1.5
"""Cells that a blur's standard deviation must span, so that bilinear enlarging does not show the grid."""


def out_of_focus(matte: Matte, sigma: float, size: tuple[int, int]) -> Tensor:
    """(3, h, w) of ``size``: the room alone, blurred by a Gaussian with ``sigma`` of the frame's height.

    Every pixel is a mean of the room's pixels only, weighted by how little of a person they are, so nobody's colours
    run into it (normalised convolution, Knutsson and Westin, CVPR 1993).
    """
    aspect = size[1] / size[0]
    share = (1 - STRICTNESS * box(matte.coarse[None], 1)[0]).clamp_(min=0.0)
    weighted = torch.cat((matte.picture * share, share[None]))
    flat = halve(halve(weighted)) / 16
    wide = _normalised(flat, SURROUNDINGS, aspect, flat.mean((1, 2), keepdim=True))
    while sigma * weighted.shape[1] >= 2 * FINE and min(weighted.shape[1:]) > min(flat.shape[1:]):
        weighted = halve(weighted) / 4
    room = _normalised(weighted, sigma, aspect, enlarge(wide, weighted.shape[1:]))
    return enlarge(room[:3], size)


def _normalised(weighted: Tensor, sigma: float, aspect: float, fallback: Tensor) -> Tensor:
    """Blurs (colours x weight, weight) and divides by the weight, so that it becomes 1; ``fallback`` has a little say."""
    height, width = weighted.shape[1:]
    # A separable blur is a product with a matrix from each side: exact, with any sigma, and fast on grids this small.
    down = _gaussian(height, sigma * height, weighted.device)
    across = _gaussian(width, sigma * width / aspect, weighted.device)
    blurred = (down @ weighted @ across).add_(fallback, alpha=TRUST)
    # Where there is no room at all: grey, which nobody sees.
    blurred += 1e-6 * blurred.new_tensor([128.0, 128.0, 128.0, 1.0])[:, None, None]
    return blurred.div_(blurred[3:].clone())


@lru_cache(maxsize=16)
def _gaussian(length: int, sigma: float, device: torch.device) -> Tensor:
    """(length, length): each row a Gaussian (sigma in cells) with the sum 1, where it is not cut off."""
    sigma = max(sigma, 0.3)
    place = torch.arange(length, device=device, dtype=torch.float32)
    distance = place[:, None] - place
    return torch.exp(distance.square_() / (-2 * sigma * sigma)) / (sigma * math.sqrt(2 * math.pi))


def painted(rgb: Tensor, size: tuple[int, int], color: Color) -> Tensor:
    """(3, h, w) of ``size``: an RGB picture (3, H, W) in [0, 1], cut to that shape and scaled."""
    height, width = 2 * size[0], 2 * size[1]
    # Cut before it is scaled: a picture one pixel wide would else be scaled to a very tall one.
    kept_height = max(1, min(rgb.shape[1], round(rgb.shape[2] * height / width)))
    kept_width = max(1, min(rgb.shape[2], round(rgb.shape[1] * width / height)))
    top, left = (rgb.shape[1] - kept_height) // 2, (rgb.shape[2] - kept_width) // 2
    rgb = rgb[:, top : top + kept_height, left : left + kept_width]
    rgb = F.interpolate(rgb[None], (height, width), mode="bilinear", align_corners=False, antialias=True)[0]
    y, u, v = rgb_to_yuv(rgb, color)
    return torch.stack((F.avg_pool2d(y[None].float(), 2)[0], u.float(), v.float()))


def gradient(colors: list[list[str]], size: tuple[int, int], device: torch.device) -> Tensor:
    """(3, h, w) RGB in [0, 1]: a soft transition between rows of colours, ``#rrggbb``."""
    corners = torch.tensor([[rgb_of(color) for color in row] for row in colors], device=device).permute(2, 0, 1)
    return F.interpolate(corners[None], size, mode="bicubic", align_corners=True)[0].clamp_(0.0, 1.0)


def rgb_of(color: str) -> tuple[float, float, float]:
    """``#rrggbb`` as RGB in [0, 1]."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red / 255, green / 255, blue / 255
