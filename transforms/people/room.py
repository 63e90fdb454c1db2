"""What is shown in a person's stead: the room out of focus, or a picture. Planes are at half size, YUV codes, float32."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import Color, rgb_to_yuv
from transforms.people.matte import Matte
from transforms.people.resize import enlarge, halve

TRUST = 0.02
"""Share of a blur's window that must be room for the window alone to decide; with less, the surroundings join in."""

SURROUNDINGS = 0.1
"""Standard deviation of the blur that joins in, of the height: wide enough to look past a head's edge."""

_FLAT = 4
"""The surroundings are that much coarser than the network's grid."""


def out_of_focus(matte: Matte, sigma: float, size: tuple[int, int]) -> Tensor:
    """(3, h, w) of ``size``: the room alone, blurred by a Gaussian with ``sigma`` of the frame's height.

    Every pixel is a mean of the room's pixels only, weighted by how little of a person they are, so nobody's colours
    run into it (normalised convolution, Knutsson and Westin, CVPR 1993).
    """
    aspect = size[1] / size[0]
    # To the fourth power, since a cell that is a quarter person has her colours already.
    share = (1 - matte.coarse).square_().square_()
    weighted = torch.cat((matte.picture * share, share[None]))
    flat = halve(halve(weighted)) / _FLAT**2
    wide = _normalised(flat, SURROUNDINGS, aspect, flat.mean((1, 2), keepdim=True))
    room = _normalised(weighted, sigma, aspect, enlarge(wide, share.shape))
    return enlarge(room[:3], size)


def _normalised(weighted: Tensor, sigma: float, aspect: float, fallback: Tensor) -> Tensor:
    """Blurs (colours x weight, weight) and divides by the weight, so that it becomes 1; ``fallback`` has a little say."""
    height, width = weighted.shape[1:]
    # A separable blur is a product with a matrix from each side: exact, with any sigma, and fast on grids this small.
    down = _gaussian(height, sigma * height, weighted.device)
    across = _gaussian(width, sigma * width / aspect, weighted.device)
    blurred = (down @ weighted @ across).add_(fallback, alpha=TRUST)
    # Where there is no room at all: grey, which no one sees.
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
    """(3, h, w) of ``size``: an RGB picture (3, H, W) in [0, 1], scaled to cover all of it and cut at the edges."""
    height, width = 2 * size[0], 2 * size[1]
    scale = max(height / rgb.shape[1], width / rgb.shape[2])
    covering = (max(height, round(rgb.shape[1] * scale)), max(width, round(rgb.shape[2] * scale)))
    rgb = F.interpolate(rgb[None], covering, mode="bilinear", align_corners=False, antialias=True)[0]
    top, left = (covering[0] - height) // 2, (covering[1] - width) // 2
    y, u, v = rgb_to_yuv(rgb[:, top : top + height, left : left + width], color)
    return torch.stack((F.avg_pool2d(y[None].float(), 2)[0], u.float(), v.float()))


def gradient(colors: list[list[str]], size: tuple[int, int], device: torch.device) -> Tensor:
    """(3, h, w) RGB in [0, 1]: a soft transition between rows of colours, ``#rrggbb``."""
    corners = torch.tensor([[rgb_of(color) for color in row] for row in colors], device=device).permute(2, 0, 1)
    return F.interpolate(corners[None], size, mode="bicubic", align_corners=True)[0].clamp_(0.0, 1.0)


def rgb_of(color: str) -> tuple[float, float, float]:
    """``#rrggbb`` as RGB in [0, 1]."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red / 255, green / 255, blue / 255
