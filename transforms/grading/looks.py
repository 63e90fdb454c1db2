"""Looks that are built in, as lookup tables like those from files."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from transforms.grading.cube import identity
from transforms.grading.light import contrasted, saturated

_WEIGHTS = (0.2126, 0.0722)
"""(Kr, Kb) of BT.709: a look is made for eyes, not for a matrix."""


def _split(rgb: Tensor, shadows: tuple[float, float, float], lights: tuple[float, float, float], amount: float) -> Tensor:
    """Shadows and highlights pulled to a colour each, at about the same luma."""
    luma = saturated(rgb, 0.0, _WEIGHTS)[:1]
    colour = torch.zeros_like(rgb)
    for tone, weight in ((shadows, (1 - luma) ** 2), (lights, luma**2)):
        away = torch.tensor(tone)[:, None] - 0.5
        grey = saturated(away, 0.0, _WEIGHTS)
        colour += (away - grey) * weight
    # Black and white stay what they are.
    return rgb + amount * colour * (4 * luma * (1 - luma)).sqrt()


def _film(rgb: Tensor) -> Tensor:
    warm = _split(contrasted(rgb, 0.25), (0.42, 0.5, 0.56), (0.64, 0.52, 0.32), 0.35)
    return 0.03 + 0.95 * saturated(warm, 0.92, _WEIGHTS)


def _teal(rgb: Tensor) -> Tensor:
    return saturated(_split(contrasted(rgb, 0.3), (0.2, 0.55, 0.62), (0.72, 0.5, 0.3), 0.45), 1.05, _WEIGHTS)


def _noir(rgb: Tensor) -> Tensor:
    # As through an orange filter: skin gets light, blue gets dark.
    grey = (0.45 * rgb[0] + 0.45 * rgb[1] + 0.1 * rgb[2]).expand_as(rgb)
    return contrasted(grey, 0.8)


def _faded(rgb: Tensor) -> Tensor:
    return 0.1 + 0.82 * saturated(_split(rgb, (0.45, 0.48, 0.62), (0.58, 0.52, 0.4), 0.3), 0.7, _WEIGHTS)


def _sepia(rgb: Tensor) -> Tensor:
    grey = saturated(rgb, 0.0, _WEIGHTS)
    return _split(grey, (0.6, 0.5, 0.36), (0.6, 0.52, 0.4), 0.55)


def _vivid(rgb: Tensor) -> Tensor:
    return saturated(contrasted(rgb, 0.35), 1.35, _WEIGHTS)


LOOKS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda rgb: rgb,
    "film": _film,
    "teal_orange": _teal,
    "noir": _noir,
    "faded": _faded,
    "sepia": _sepia,
    "vivid": _vivid,
}


def table(look: str) -> Tensor:
    """(3, SIZE, SIZE, SIZE), as ``cube.read`` returns it."""
    rgb = identity()
    return LOOKS[look](rgb.reshape(3, -1)).clamp(0.0, 1.0).reshape(rgb.shape)
