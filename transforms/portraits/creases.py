"""What a portrait's expression leaves in its skin, and a live face's in its lids: folds that must not be where they are wrong."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL
from transforms.faces.regions import LEFT_EYE, LIPS_OUTER, RIGHT_EYE
from transforms.portraits.layout import rise

WIDER = 0.15, 1.0
"""cm by which the portrait's mouth is wider than the live one, from where on its smile lines begin to go, and are gone."""

FOLDS = ((2.6, -1.6), (3.0, -2.8), (3.4, -4.0), (3.2, -5.2))
"""x and y on the mean face, cm, of the line from the wing of the nose about the corner of the mouth."""

FOLD = 0.75
"""cm, deviation of how wide it is."""

OPEN, SHUT = 0.21, 0.11
"""Height of an eye by its width, at which it is open, and at which the live lids show instead of the portrait's."""

LID = 2.3, 1.15
"""cm, half axes of what lids move."""


def mouth_width(landmarks: Tensor, scale: float) -> float:
    """cm"""
    return float((landmarks[LIPS_OUTER[0]] - landmarks[LIPS_OUTER[10]]).norm()) / max(scale, 1e-3)


def smile_lines(portrait: float, live: float, device: torch.device) -> Tensor:
    """(468,) 0 to 1, how much is to be evened out where a portrait with a mouth that wide, cm, is put on a live face."""
    amount = rise(torch.tensor(portrait - live), WIDER)
    return _folds(device) * amount.to(device)


def blinks(landmarks: Tensor) -> Tensor:
    """(468,) 0 to 1, where live lids have come down: open ones, stretched, would not do for these."""
    parts = _lids(landmarks.device)
    return torch.stack([part * _shut(landmarks, eye) for part, eye in zip(parts, (LEFT_EYE, RIGHT_EYE), strict=True)]).sum(0)


def _shut(landmarks: Tensor, eye: tuple[int, ...]) -> Tensor:
    upper, lower = landmarks[[eye[11], eye[12], eye[13]], :2], landmarks[[eye[5], eye[4], eye[3]], :2]
    width = (landmarks[eye[0], :2] - landmarks[eye[8], :2]).norm().clamp(min=1e-3)
    return 1 - rise((upper - lower).norm(dim=1).mean() / width, (SHUT, OPEN))


@lru_cache(maxsize=8)
def _folds(device: torch.device) -> Tensor:
    x, y = CANONICAL[:, 0].abs(), CANONICAL[:, 1]
    bells = [torch.exp(-((x - at).square() + (y - up).square()) / (2 * FOLD**2)) for at, up in FOLDS]
    lips = torch.cdist(CANONICAL, CANONICAL[list(LIPS_OUTER)]).amin(1)
    return (torch.stack(bells).amax(0) * rise(lips, (0.1, 0.7))).to(device)


@lru_cache(maxsize=8)
def _lids(device: torch.device) -> tuple[Tensor, Tensor]:
    made = []
    for eye in (LEFT_EYE, RIGHT_EYE):
        middle = CANONICAL[list(eye)].mean(0)
        away = (CANONICAL - middle)[:, :2] / torch.tensor(LID)
        made.append((1 - rise(away.norm(dim=1), (0.75, 1.25))).to(device))
    return made[0], made[1]
