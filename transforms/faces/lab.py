"""CIE L*a*b* under D65, for colours that are compared or carried over as eyes see them."""

from __future__ import annotations

import torch
from torch import Tensor

_WHITE = (0.95047, 1.0, 1.08883)
"""XYZ of D65, CIE 1931 2° observer."""

_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
"""Linear sRGB to XYZ, IEC 61966-2-1."""

_EPSILON, _KAPPA = 216 / 24389, 24389 / 27
"""Of CIE 15:2004: where the cube root goes over into a line, and that line's slope."""


def _matrices(device: torch.device) -> tuple[Tensor, Tensor]:
    to_xyz = torch.tensor(_TO_XYZ, dtype=torch.float64) / torch.tensor(_WHITE, dtype=torch.float64)[:, None]
    return to_xyz.float().to(device), torch.linalg.inv(to_xyz).float().to(device)


def linear(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] of any shape to linear light."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.0) + 0.055) / 1.055) ** 2.4)


def gamma(light: Tensor) -> Tensor:
    """Linear light of any shape to sRGB in [0, 1]."""
    light = light.clamp(0.0, 1.0)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=1e-8) ** (1 / 2.4) - 0.055)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """(3, ...) sRGB in [0, 1] to L* (0 to 100), a*, b* of the same shape."""
    to_xyz, _ = _matrices(rgb.device)
    xyz = to_xyz @ linear(rgb).reshape(3, -1)
    f = torch.where(xyz > _EPSILON, xyz.clamp(min=1e-8) ** (1 / 3), (_KAPPA * xyz + 16) / 116)
    return torch.stack((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2]))).reshape(rgb.shape)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """(3, ...) L*a*b* to sRGB, cut to [0, 1]."""
    _, to_rgb = _matrices(lab.device)
    lightness, a, b = lab.reshape(3, -1)
    y = (lightness + 16) / 116
    f = torch.stack((y + a / 500, y, y - b / 200))
    cube = f**3
    xyz = torch.where(cube > _EPSILON, cube, (116 * f - 16) / _KAPPA)
    return gamma(to_rgb @ xyz).reshape(lab.shape)


def delta_e(one: Tensor, other: Tensor) -> Tensor:
    """CIEDE2000 between (3, ...) colours in L*a*b*: 1 is just seen. Shape (...).

    Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", 2005.
    """
    one, other = one.double(), other.double()
    c1, c2 = one[1:].norm(dim=0), other[1:].norm(dim=0)
    mean = (c1 + c2) / 2
    g = 0.5 * (1 - torch.sqrt(mean**7 / (mean**7 + 25.0**7)))
    a1, a2 = one[1] * (1 + g), other[1] * (1 + g)
    c1, c2 = torch.hypot(a1, one[2]), torch.hypot(a2, other[2])
    h1 = torch.rad2deg(torch.atan2(one[2], a1)) % 360
    h2 = torch.rad2deg(torch.atan2(other[2], a2)) % 360
    grey = c1 * c2 == 0
    turn = h2 - h1
    turn = torch.where(turn > 180, turn - 360, torch.where(turn < -180, turn + 360, turn))
    turn = torch.where(grey, torch.zeros_like(turn), turn)
    lightness, chroma = other[0] - one[0], c2 - c1
    hue = 2 * torch.sqrt(c1 * c2) * torch.sin(torch.deg2rad(turn / 2))
    total = h1 + h2
    middle = torch.where((h1 - h2).abs() <= 180, total / 2, torch.where(total < 360, (total + 360) / 2, (total - 360) / 2))
    middle = torch.where(grey, total, middle)
    mean_l, mean_c = (one[0] + other[0]) / 2, (c1 + c2) / 2

    def cosine(times: float, offset: float) -> Tensor:
        return torch.cos(torch.deg2rad(times * middle + offset))

    t = 1 - 0.17 * cosine(1, -30) + 0.24 * cosine(2, 0) + 0.32 * cosine(3, 6) - 0.20 * cosine(4, -63)
    turning = 30 * torch.exp(-(((middle - 275) / 25) ** 2))
    rotation = -2 * torch.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * torch.sin(torch.deg2rad(2 * turning))
    scale_l = 1 + 0.015 * (mean_l - 50) ** 2 / torch.sqrt(20 + (mean_l - 50) ** 2)
    l_part, c_part, h_part = lightness / scale_l, chroma / (1 + 0.045 * mean_c), hue / (1 + 0.015 * mean_c * t)
    return torch.sqrt((l_part**2 + c_part**2 + h_part**2 + rotation * c_part * h_part).clamp(min=0))
