"""A portrait taken apart: the person, and the room behind them as it would be without them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import Color, rgb_to_yuv
from transforms.context import Context
from transforms.faces.raster import polygon
from transforms.faces.regions import FACE_OVAL
from transforms.frame import Box, Frame, Planes
from transforms.people.matte import MatteMaker
from transforms.people.resize import double, enlarge, halve
from transforms.portraits.portrait import Portrait

SEEN = 0.8
"""Share of the face that must be person for the mask to be believed: of drawings the network may say anything."""

RIM = 0.02
"""Width of the rim around the person whose colours are not the room's any more, of the picture's shorter side."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Of a portrait's size, on the host."""

    rgb: Tensor
    """(3, H, W) in [0, 1]: the portrait."""
    person: Tensor
    """(H, W) in [0, 1]."""
    room: Tensor
    """(3, H, W): what is behind the person, filled in from the sides."""
    landmarks: Tensor
    """(478, 3) px."""


def set_apart(portrait: Portrait, context: Context) -> Setting:
    """Blocks: a network and some blurs. Where no person is told from the room, all is room that moves with the head."""
    person = _oval(portrait) if portrait.drawn else _person(portrait, context)
    if person is None:
        return Setting(portrait.rgb, torch.ones(portrait.rgb.shape[1:]), portrait.rgb, portrait.landmarks)
    width, height = portrait.size
    reach = max(1, round(RIM * min(width, height)))
    around = F.max_pool2d(person[None, None], 2 * reach + 1, 1, reach)[0]
    # What is nearly no person is the room; a wide rim keeps the person's colours out of it.
    known = (1 - 3 * around).clamp(min=0.0)
    room = filled(portrait.rgb, known)
    return Setting(portrait.rgb, person, room, portrait.landmarks)


def _person(portrait: Portrait, context: Context) -> Tensor | None:
    """(H, W), or None where the network does not see one in the portrait."""
    height, width = portrait.rgb.shape[1:]
    color = Color(full_range=True)
    even = F.pad(portrait.rgb[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
    y, u, v = rgb_to_yuv(even, color)
    frame = Frame(Planes(y[:height, :width], u, v), color=color).to(context.device)
    half = MatteMaker(context)(frame).half.cpu()
    person = double(half[None])[0, :height, :width]
    face = polygon(portrait.landmarks[list(FACE_OVAL)], Box(0, 0, width, height))
    share = float((person * face).sum() / face.sum().clamp(min=1.0))
    # Nothing of the face is room, however it is lit.
    return torch.maximum(person, face) if share >= SEEN else None


def _oval(portrait: Portrait) -> Tensor:
    width, height = portrait.size
    return polygon(portrait.landmarks[list(FACE_OVAL)], Box(0, 0, width, height), 4.0)


def filled(rgb: Tensor, known: Tensor) -> Tensor:
    """(3, H, W): the picture where ``known`` (1, H, W) is 1, and where it is 0, smoothly what lies around.

    By halves until something is known everywhere, and back (push-pull, Gortler et al., "The Lumigraph", 1996).
    """
    height, width = rgb.shape[1:]
    weighted = torch.cat((rgb * known, known))
    if min(height, width) < 4 or float(known.min()) > 0.5:
        share = weighted[3:]
        return weighted[:3] / share.clamp(min=1e-3) if float(share.min()) > 0 else _or_grey(weighted)
    even = F.pad(weighted[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
    small = halve(even)
    # Full weight as soon as one of the four is known.
    share = small[3:].clamp(max=1.0)
    coarse = filled(small[:3] / small[3:].clamp(min=1e-3), share)
    behind = enlarge(coarse, (height, width))
    return torch.lerp(behind, rgb, known)


def _or_grey(weighted: Tensor) -> Tensor:
    total = float(weighted[3].sum())
    mean = weighted[:3].sum((1, 2), keepdim=True) / total if total > 0 and math.isfinite(total) else torch.full((3, 1, 1), 0.5)
    return torch.lerp(mean.expand_as(weighted[:3]), weighted[:3] / weighted[3:].clamp(min=1e-3), weighted[3:].clamp(max=1.0))
