"""How much of a portrait is laid on each vertex of the face mesh, and where its skin can be compared with the live one's."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL
from transforms.faces.regions import (
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_EYE_AROUND,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_EYE_AROUND,
)

RIM = 0.6, 2.2
"""cm from the mesh's rim over which the portrait sets in: the rim itself lies on hair, ears and the room as often as on skin."""

HAIRLINE = 6.2, 7.8
"""y of the mean face, cm, over which the forehead goes back to the live one: whose fringe hangs where differs."""

BROWS, TEMPLES = (5.7, 7.0), 5.6
"""y of the mean face, cm, between which it is right above the brows, and x to which these reach."""

FEATURE = 0.1, 0.5
"""cm from lids, brows, lips and nostrils over which skin begins."""

SOCKET = 0.2, 1.0
"""cm, likewise, from around the eyes: in their sockets it is darker than the light upon the face says."""

NOSTRILS = (2, 97, 98, 326, 327, 240, 460, 99, 328, 64, 294, 60, 290, 20, 250, 238, 458, 79, 309, 166, 392)


class Layout(NamedTuple):
    """(468,) each, 0 to 1."""

    share: Tensor
    """How much of what is seen there is the portrait's."""
    skin: Tensor
    """How surely it is bare skin."""
    above: Tensor
    """0 up to right above the brows, 1 on the forehead and beside the face."""


def rise(value: Tensor, ends: tuple[float, float]) -> Tensor:
    """Smoothstep: 0 up to the first end, 1 from the second on."""
    share = ((value - ends[0]) / (ends[1] - ends[0])).clamp(0, 1)
    return share * share * (3 - 2 * share)


def rim_distance() -> Tensor:
    """(468,) cm to the mesh's rim."""
    return _distance(FACE_OVAL)


def feature_distance() -> Tensor:
    """(468,) cm to what is no skin: lids, brows, lips, nostrils."""
    features = chain(
        LEFT_BROW, RIGHT_BROW, LEFT_EYE, RIGHT_EYE, LEFT_EYE_AROUND, RIGHT_EYE_AROUND, LIPS_OUTER, LIPS_INNER, NOSTRILS
    )
    return _distance(tuple(features))


@lru_cache(maxsize=8)
def layout(device: torch.device) -> Layout:
    share = rise(rim_distance(), RIM) * (1 - rise(CANONICAL[:, 1], HAIRLINE))
    x, y = CANONICAL[:, 0].abs(), CANONICAL[:, 1]
    above = torch.where((y > BROWS[0]) & (x < TEMPLES), rise(y, BROWS), torch.ones_like(y))
    eyes = _distance((*LEFT_EYE_AROUND, *RIGHT_EYE_AROUND))
    skin = rise(feature_distance(), FEATURE) * rise(eyes, SOCKET)
    return Layout(share.to(device), skin.to(device), above.to(device))


def _distance(vertices: tuple[int, ...]) -> Tensor:
    return torch.cdist(CANONICAL, CANONICAL[list(vertices)]).amin(1)
