"""Faces drawn anew by a network, in colours that are steady from one drawing to the next."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.faces.blend import color_match, statistics
from transforms.faces.lab import lab_to_rgb, rgb_to_lab
from transforms.faces.raster import polygon
from transforms.faces.regions import FACE_OVAL
from transforms.frame import Box
from transforms.models.runtime import Network
from transforms.styles.alignment import SIZE

SQUARE = Box(0, 0, SIZE, SIZE)

LARGE = 2
"""A drawing is kept at twice its size, enlarged by cubics once, so that it is looked up linearly and still sharp."""

LEVELS = 4
"""Halvings of it that are kept for small faces."""

MEMORY = 1.5
"""Seconds over which colours are averaged: a drawing's brightness varies by some percent with the crop, and it would show."""

FORGOTTEN = 5.0
"""Seconds after which the colours of a face that was not drawn are forgotten."""

SEAM = 24.0
"""px over which the colours of skin go over into those of hair."""

Moments = tuple[Tensor, Tensor]
"""Mean (3,) and covariance (3, 3) of colours in L*a*b*, on the host."""


@dataclass(frozen=True, slots=True, eq=False)
class Sitting:
    """A face as it is to be drawn."""

    face: int
    """Its id."""
    picture: Tensor
    """(3, 256, 256) RGB in [0, 1], aligned."""
    points: Tensor
    """(478, 2) landmarks, px of the picture."""
    time: float
    """Of its frame, s."""


@dataclass(slots=True, eq=False)
class Portrait:
    """A drawing of a face."""

    sitting: Sitting
    drawn: Tensor
    """(3, 256, 256) RGB in [0, 1]."""
    head: Tensor
    """(256, 256) in [0, 1]: head, hair and neck in the drawing."""
    natural: Tensor
    """The drawing with the colours of the face itself, as ``drawn``."""
    _levels: tuple[float, list[Tensor]] = field(default=(-1.0, []))

    def levels(self, natural: float) -> list[Tensor]:
        """The drawing at twice its size, its size, and so on by halves; ``natural`` in [0, 1] of the face's own colours."""
        if self._levels[0] != natural:
            mixed = torch.lerp(self.drawn, self.natural, natural)[None]
            large = F.interpolate(mixed, scale_factor=LARGE, mode="bicubic", align_corners=False).clamp_(0.0, 1.0)
            levels = [large]
            for _ in range(LEVELS):
                levels.append(F.avg_pool2d(levels[-1], 2))
            self._levels = natural, [level[0] for level in levels]
        return self._levels[1]


class Portraitist:
    """Draws the faces of one stream, for one thread at a time."""

    def __init__(self, network: Network, people: Network) -> None:
        """``network`` redraws (n, 256, 256, 3) in [-1, 1] to [0, 1]; ``people`` tells persons from background, both [0, 1]."""
        self._network = network
        self._people = people
        self._colours: dict[int, tuple[float, list[Moments]]] = {}
        self._lock = threading.Lock()

    def __call__(self, sittings: Sequence[Sitting]) -> list[Portrait]:
        """One drawing of each, in one batch."""
        if not sittings:
            return []
        with self._lock:
            return self._drawn(sittings)

    def _drawn(self, sittings: Sequence[Sitting]) -> list[Portrait]:
        device = sittings[0].picture.device
        pictures = torch.stack([sitting.picture for sitting in sittings]).permute(0, 2, 3, 1).contiguous()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=_has_bfloat16(device)):
            (drawn,) = self._network(pictures * 2 - 1)
        drawn = drawn.float().clamp(0.0, 1.0)
        heads, people = (self._people(each.contiguous())[0].reshape(-1, SIZE, SIZE) for each in (drawn, pictures))
        drawn = drawn.permute(0, 3, 1, 2)
        done = [self._finish(*each) for each in zip(sittings, drawn, heads, people, strict=True)]
        now = max(sitting.time for sitting in sittings)
        self._colours = {face: kept for face, kept in self._colours.items() if abs(now - kept[0]) < FORGOTTEN}
        return done

    def _finish(self, sitting: Sitting, drawn: Tensor, head: Tensor, person: Tensor) -> Portrait:
        """The drawing, its colours steadied, and made the face's own: those of skin and of hair each by themselves."""
        oval = sitting.points[list(FACE_OVAL)]
        skin, seam = polygon(oval, SQUARE), polygon(oval, SQUARE, SEAM)
        lab, original = rgb_to_lab(drawn), rgb_to_lab(sitting.picture)
        now = [
            _moments(lab, skin),
            _moments(original, skin),
            _moments(lab, head * (1 - skin)),
            _moments(original, person * (1 - skin)),
        ]
        drawn_skin, own_skin, drawn_hair, own_hair = self._steadied(sitting, now)
        steady = torch.lerp(_recoloured(lab, now[2], drawn_hair), _recoloured(lab, now[0], drawn_skin), seam)
        natural = torch.lerp(_recoloured(lab, now[2], own_hair), _recoloured(lab, now[0], own_skin), seam)
        return Portrait(sitting, lab_to_rgb(steady), head, lab_to_rgb(natural))

    def _steadied(self, sitting: Sitting, now: list[Moments]) -> list[Moments]:
        time, before = self._colours.get(sitting.face, (math.inf, now))
        elapsed = sitting.time - time
        if 0 <= elapsed < FORGOTTEN:
            share = 1 - math.exp(-elapsed / MEMORY)
            now = [_mixed(old, new, share) for old, new in zip(before, now, strict=True)]
        self._colours[sitting.face] = sitting.time, now
        return now


def _has_bfloat16(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 faster than float32: a drawing takes two thirds of the time, and looks the same."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _moments(lab: Tensor, weights: Tensor) -> Moments:
    mean, covariance = statistics(lab, weights)
    return mean.cpu(), covariance.cpu()


def _mixed(old: Moments, new: Moments, share: float) -> Moments:
    return torch.lerp(old[0], new[0], share), torch.lerp(old[1], new[1], share)


def _recoloured(lab: Tensor, old: Moments, new: Moments) -> Tensor:
    matrix, offset = (part.to(lab.device) for part in color_match(old, new))
    return torch.addmm(offset[:, None], matrix, lab.reshape(3, -1)).reshape(lab.shape)
