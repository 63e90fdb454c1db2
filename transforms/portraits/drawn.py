"""A portrait of nobody: the mean face, shaded and painted by code, so that nothing needs anybody's picture."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.faces.blendshapes import NAMES
from transforms.faces.mesh import CANONICAL, TRIANGLES
from transforms.faces.pose import pose_of
from transforms.faces.raster import centres, polygon, raster
from transforms.faces.regions import (
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from transforms.frame import Box
from transforms.portraits.portrait import Portrait

SIDE = 480
"""px of the square picture."""

SCALE = 23.0
"""px of a cm: the face is 400 px high."""

IRIS = 0.58
"""cm, radius."""

BACKDROP, SKIN, BLUSH, LIPS, BROWS = (
    (0.20, 0.25, 0.30),
    (0.80, 0.62, 0.52),
    (0.80, 0.48, 0.43),
    (0.66, 0.30, 0.30),
    (0.25, 0.17, 0.13),
)
WHITE, HAZEL, PUPIL, LASHES = (0.86, 0.84, 0.82), (0.33, 0.40, 0.34), (0.04, 0.04, 0.04), (0.12, 0.08, 0.07)
"""sRGB."""

LIGHT = (-0.25, 0.45, 0.86)
"""Where it comes from: x to the person's left, y up, z to the front."""


@lru_cache(maxsize=1)
def drawn() -> Portrait:
    """480 x 480."""
    landmarks = _landmarks()
    rgb = _painted(landmarks)
    return Portrait(rgb, landmarks, pose_of(landmarks), torch.zeros(len(NAMES)), drawn=True)


def _landmarks() -> Tensor:
    """(478, 3): the mean face from the front, its irises where the eyes' middles are."""
    middle = CANONICAL.amin(0).lerp(CANONICAL.amax(0), 0.5)
    vertices = (CANONICAL - middle) * torch.tensor([1.0, -1.0, -1.0]) * SCALE + torch.tensor([SIDE / 2, SIDE / 2 + 8, 0.0])
    irises = []
    # 468 is the right one's centre, 473 the left one's; the rim's points follow each.
    for lids in (RIGHT_EYE, LEFT_EYE):
        centre = vertices[list(lids)].mean(0)
        radius = IRIS * SCALE
        offsets = torch.tensor([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]]) * radius
        irises.append(centre + offsets)
    return torch.cat((vertices, *irises))


def _painted(points: Tensor) -> Tensor:
    box = Box(0, 0, SIDE, SIDE)
    flat = points[:, :2]

    def colour(of: tuple[float, float, float]) -> Tensor:
        return torch.tensor(of)[:, None, None]

    def area(loop: tuple[int, ...], feather: float) -> Tensor:
        return polygon(flat[list(loop)], box, feather)

    shade = _shade(points, box)
    picture = colour(SKIN).expand(3, SIDE, SIDE)
    for side in (50, 280, 4):
        spot = _bell(flat[side], 1.6 * SCALE, box) * (0.45 if side != 4 else 0.25)
        picture = torch.lerp(picture, colour(BLUSH), spot)
    picture = torch.lerp(picture, colour(LIPS), area(LIPS_OUTER, 5) * 0.9)
    line = area(LIPS_INNER, 3)
    picture = torch.lerp(picture, colour(LIPS) * 0.45, line)
    for brow in (LEFT_BROW, RIGHT_BROW):
        picture = torch.lerp(picture, colour(BROWS), area(brow, 7) * 0.8)
    picture = picture * shade
    for lids, iris in ((LEFT_EYE, LEFT_IRIS), (RIGHT_EYE, RIGHT_IRIS)):
        rim = flat[list(lids)]
        middle = rim.mean(0)
        picture = torch.lerp(
            picture, colour(LASHES), polygon(middle + (rim - middle) * 1.1 - torch.tensor([0.0, 1.2]), box, 4) * 0.8
        )
        eye = colour(WHITE) * (0.8 + 0.2 * (1 - _bell(rim[12], 9.0, box)))
        distance = _distance(flat[list(iris)].mean(0), box)
        ring = _disc(distance, IRIS * SCALE, 2.0)
        eye = torch.lerp(eye, colour(HAZEL) * (0.65 + 0.5 * (distance / (IRIS * SCALE)).clamp(0, 1)), ring)
        eye = torch.lerp(eye, colour(HAZEL) * 0.4, ring * (1 - _disc(distance, IRIS * SCALE * 0.88, 3.0)))
        eye = torch.lerp(eye, colour(PUPIL), _disc(distance, IRIS * SCALE * 0.42, 2.0))
        glint = _disc(_distance(flat[list(iris)].mean(0) + torch.tensor([-3.5, -4.0]), box), 2.2, 1.5)
        eye = torch.lerp(eye, torch.ones_like(eye), glint * 0.85)
        picture = torch.lerp(picture, eye, polygon(rim, box, 2))
    index, _ = raster(flat, TRIANGLES, box)
    face = F.avg_pool2d((index >= 0).float()[None], 5, 1, 2)
    ground = colour(BACKDROP) * (1.15 - 0.5 * torch.linspace(0, 1, SIDE)[None, :, None])
    return torch.lerp(ground.expand(3, SIDE, SIDE), picture, face).clamp(0, 1).contiguous()


def _shade(points: Tensor, box: Box) -> Tensor:
    """(1, H, W): how bright the mean face's surface is, from its normals, softened."""
    a, b, c = (CANONICAL[TRIANGLES[:, corner]] for corner in range(3))
    faces = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(CANONICAL).index_add_(0, TRIANGLES.reshape(-1), faces.repeat_interleave(3, 0))
    normals = normals / normals.norm(dim=1, keepdim=True).clamp(min=1e-6)
    light = torch.tensor(LIGHT)
    lit = 0.70 + 0.38 * (normals @ (light / light.norm())).clamp(min=0.0)
    index, weights = raster(points, TRIANGLES, box)
    shade = (lit[TRIANGLES[index.clamp(min=0)]] * weights).sum(-1)
    shade = torch.where(index >= 0, shade, torch.full_like(shade, 0.75))
    return F.avg_pool2d(F.pad(shade[None], (4, 4, 4, 4), mode="replicate"), 9, 1)


def _distance(place: Tensor, box: Box) -> Tensor:
    x, y = centres(box, 1, place.device)
    return torch.hypot(x - place[0], y - place[1])


def _bell(place: Tensor, deviation: float, box: Box) -> Tensor:
    return torch.exp(-((_distance(place, box) / deviation) ** 2) / 2)


def _disc(distance: Tensor, radius: float, soft: float) -> Tensor:
    share = ((radius - distance) / soft + 0.5).clamp(0, 1)
    return 0.5 - 0.5 * torch.cos(math.pi * share)
