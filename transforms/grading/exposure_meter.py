"""What light a picture was taken in, judged by the faces in it and by all of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.color import yuv444_to_rgb
from transforms.faces.face import FaceBox
from transforms.frame import Box, Frame
from transforms.grading.light import linear

ACROSS = 64
"""Samples across the picture, or a face, about: a mean over some thousand is steady to a thousandth."""

SKIN = 0.25, 0.35, 0.75, 0.8
"""Left, top, right and bottom of what is mostly skin, in a face's box: no hair, no background, little of the eyes."""

SKIN_LIGHT, SKIN_LIGHT_SPREAD = 0.28, 1.0
"""Linear luminance of skin in good light, and by how many EV people differ in it."""

PICTURE_LIGHT, PICTURE_LIGHT_SPREAD = 0.18, 1.2
"""The same for the mean of the whole picture."""

SKIN_COLOUR, SKIN_COLOUR_SPREAD = (0.53, -0.28), 0.12
"""Natural logarithms of red to green and of blue to green of skin in daylight, linear, and how far people are from that. It
hardly depends on how dark skin is (ColorChecker's dark and light skin: 0.71 and 0.57, -0.37 and -0.31)."""

GREY_SPREAD = 0.15
"""The same for the picture's grey, which walls and clothes pull."""

NORM = 5
"""Of the mean that is taken for grey (Finlayson and Trezzi, "Shades of gray", CIC 2004): bright parts count more."""

DARK, BRIGHT = 0.004, 0.9
"""Linear, of a channel: below is noise, above is clipped, and neither tells a colour."""

MOST_LIGHTER, MOST_DARKER = 3.0, 1.5
"""EV: beyond, there is nothing but noise, or nothing but white."""

MOST_WARMTH, MOST_TINT = 0.8, 0.15
"""Logarithms of gains: from candles to shade. Light is rarely green or magenta; what looks like it is mostly paint."""

BRIGHTER = 2.0
"""Bright skin and white walls are that much more usual than dark ones."""


class Reading(NamedTuple):
    """What would have to be done about a picture's light."""

    exposure: float
    """EV that it lacks, as ``light.exposed`` counts them."""
    warmth: float
    """Natural logarithm of the gain that red needs, and of the loss that blue needs."""
    tint: float
    """Natural logarithm of the gain that both need, green's being 0."""

    def mixed(self, other: Reading, light: float, colour: float) -> Reading:
        """Towards the other, by a share of the exposure and one of the colour."""
        shares = (light, colour, colour)
        return Reading(*(a + share * (b - a) for a, b, share in zip(self, other, shares, strict=True)))


def of_picture(frame: Frame) -> Reading:
    """Judged by the whole picture: by its mean, and by what may be grey in it."""
    light = _samples(frame, frame.box)
    return _reading(
        light.mean(1), _usable(light).pow(NORM).mean(1), NORM, PICTURE_LIGHT, PICTURE_LIGHT_SPREAD, (0.0, 0.0), GREY_SPREAD
    )


def of_faces(frame: Frame, faces: Sequence[FaceBox]) -> Reading | None:
    """Judged by the skin of the faces at these places, if there is any to be seen."""
    skins = [skin for face in faces if (skin := _skin(frame, face)) is not None]
    if not skins:
        return None
    skin = torch.cat(skins, 1)
    return _reading(skin.mean(1), _usable(skin).mean(1), 1, SKIN_LIGHT, SKIN_LIGHT_SPREAD, SKIN_COLOUR, SKIN_COLOUR_SPREAD)


def _skin(frame: Frame, face: FaceBox) -> Tensor | None:
    left, top, right, bottom = SKIN
    box = Box(
        max(0, round(face.left + left * face.width)),
        max(0, round(face.top + top * face.height)),
        min(frame.width, round(face.left + right * face.width)),
        min(frame.height, round(face.top + bottom * face.height)),
    )
    if box.width < 4 or box.height < 4:
        return None
    light = _samples(frame, box)
    # Without the darkest and the brightest: nostrils and brows, and what shines.
    order = _luminance(light).argsort()
    return light[:, order[len(order) // 3 : len(order) * 9 // 10 + 1]]


def _samples(frame: Frame, box: Box) -> Tensor:
    """(3, N) linear RGB of some of the box's pixels."""
    step = max(1, box.width // 2 // ACROSS)
    y, u, v = frame.planes
    rows, columns = (
        slice(first // 2, max(first // 2 + 1, last // 2), step) for first, last in ((box.top, box.bottom), (box.left, box.right))
    )
    u, v = u[rows, columns].float(), v[rows, columns].float()
    y = y[::2, ::2][rows, columns].float()
    return linear(yuv444_to_rgb(torch.stack((y, u, v)).reshape(3, -1), frame.color))


def _luminance(light: Tensor) -> Tensor:
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]


def _usable(light: Tensor) -> Tensor:
    return light * ((light.amax(0) < BRIGHT) & (light.amin(0) > DARK))


def _reading(
    mean: Tensor,
    colour: Tensor,
    norm: int,
    light: float,
    light_spread: float,
    ideal: tuple[float, float],
    spread: float,
) -> Reading:
    """From a mean in linear RGB, and a mean of its powers that is to have the ideal ratios."""
    luminance = min(max(float(_luminance(mean)), 1e-4), 1 - 1e-4)
    lacks = (_logit(light) - _logit(luminance)) / math.log(2)
    exposure = max(-MOST_DARKER, min(MOST_LIGHTER, _surely(lacks, light_spread * (1 if lacks > 0 else BRIGHTER))))
    red, green, blue = (float(channel) for channel in colour)
    if min(red, green, blue) <= 0:
        return Reading(exposure, 0.0, 0.0)
    red, blue = (middle - math.log(channel / green) / norm for channel, middle in zip((red, blue), ideal, strict=True))
    warmth, tint = _surely((red - blue) / 2, spread), _surely((red + blue) / 2, spread)
    return Reading(exposure, max(-MOST_WARMTH, min(MOST_WARMTH, warmth)), max(-MOST_TINT, min(MOST_TINT, tint)))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _surely(off: float, spread: float) -> float:
    """What of a distance is the light's doing, where that much is usual anyway: little of a small one, most of a large one."""
    return off * off * off / (off * off + spread * spread)
