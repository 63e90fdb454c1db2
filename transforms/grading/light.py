"""Exposure, white balance and tone as functions of RGB in [0, 1], (3, N), as a screen gets it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

GAMMA = 2.2
"""Of the screen. The codes of video are close to its inverse, whatever transfer function is signalled."""

DAYLIGHT = 6500.0
"""K that a picture's light has when nothing is to be changed."""

TINT = 0.02
"""Distance from the black-body curve that the whole way to green or magenta is, in CIE 1960 uv; fluorescent tubes have half."""

PROTECTED = 3
"""Power of the brightest channel by which white balance fades out towards white."""

_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
"""Linear RGB with the primaries of BT.709 and sRGB (IEC 61966-2-1)."""

_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
"""XYZ to the responses of cones in which whites are adapted (Lam 1985)."""


def linear(rgb: Tensor) -> Tensor:
    return torch.pow(rgb.clamp(0.0, 1.0), GAMMA)


def coded(light: Tensor, gamma: float = 1.0) -> Tensor:
    """Back from linear light, with the middle lifted by a gamma above 1."""
    return torch.pow(light.clamp(min=0.0), 1 / (GAMMA * gamma))


def exposed(light: Tensor, gain: float) -> Tensor:
    """Linear light times ``gain`` in the shadows and ever less towards white, which stays white: nothing clips.

    All channels get the factor of the brightest, so that the colour stays what it is. An exposure and its opposite cancel out.
    """
    light = light.clamp(0.0, 1.0)
    return light * (gain / light.amax(0).mul_(gain - 1).add_(1))


def balanced(light: Tensor, matrix: Tensor) -> Tensor:
    """Linear light times a white balance, less so towards white: what is clipped says nothing of the light's colour."""
    light = light.clamp(0.0, 1.0)
    return torch.lerp(light, matrix @ light, 1 - light.amax(0) ** PROTECTED)


def contrasted(rgb: Tensor, amount: float) -> Tensor:
    """An S-curve for amounts up to 1, the opposite down to -1; black, white and the middle stay."""
    rgb = rgb.clamp(0.0, 1.0)
    return rgb + amount * rgb * (1 - rgb) * (2 * rgb - 1)


def saturated(rgb: Tensor, amount: float, weights: tuple[float, float]) -> Tensor:
    """0 leaves grey of the same luma, 1 changes nothing. ``weights`` are the stream's (Kr, Kb)."""
    kr, kb = weights
    luma = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    return torch.lerp(luma.expand_as(rgb), rgb, amount)


def adaptation(kelvin: float, tint: float) -> Tensor:
    """(3, 3) for linear RGB: from a light of that colour temperature to daylight.

    ``tint``, -1 to 1, is how far the picture goes to green or magenta.
    """
    cones = torch.tensor(_BRADFORD, dtype=torch.float64) @ torch.tensor(_TO_XYZ, dtype=torch.float64)
    ratio = _cones(DAYLIGHT, 0.0) / _cones(kelvin, tint * TINT)
    matrix: Tensor = torch.linalg.inv(cones) @ (ratio[:, None] * cones)
    return matrix.float()


def _cones(kelvin: float, away: float) -> Tensor:
    """What a light is to the cones that is that far from the black body of its temperature, on the green side."""
    u, v = _black_body(kelvin)
    next_u, next_v = _black_body(kelvin * 1.01)
    along, up = next_u - u, next_v - v
    length = math.hypot(along, up)
    # At right angles to the curve, which runs to the lower left as it gets hotter: green is to the upper left.
    u, v = u + away * up / length, v - away * along / length
    scale = 2 * u - 8 * v + 4
    x, y = 3 * u / scale, 2 * v / scale
    return torch.tensor(_BRADFORD, dtype=torch.float64) @ torch.tensor([x / y, 1.0, (1 - x - y) / y], dtype=torch.float64)


def _black_body(kelvin: float) -> tuple[float, float]:
    """CIE 1960 u and v, 1667 to 25000 K (Kim et al., US patent 7024034: cubic splines)."""
    t = 1000 / kelvin
    x = ((-0.2661239 * t - 0.2343589) * t + 0.8776956) * t + 0.179910
    if kelvin > 4000:
        x = ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.240390
    if kelvin < 2222:
        y = ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683
    elif kelvin < 4000:
        y = ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
    else:
        y = ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483
    scale = -2 * x + 12 * y + 3
    return 4 * x / scale, 6 * y / scale
