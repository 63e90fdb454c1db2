"""Where make-up goes: outlines that are weighted sums of a face's landmarks, so that one product gives all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.faces import mesh, regions

COUNT = 478

SUBDIVISIONS = 3
"""Points of a smooth outline per landmark: its corners are then under a pixel up to faces as high as a 1080p picture."""

RIGHT_LID, LEFT_LID = ((*eye[:1], *eye[:7:-1]) for eye in (regions.RIGHT_EYE, regions.LEFT_EYE))
"""The edge of the upper lid, from the outer to the inner corner, nine points; likewise the two rows above it."""

RIGHT_FOLD, LEFT_FOLD = ((*eye[:1], *eye[:7:-1]) for eye in (regions.RIGHT_EYE_AROUND, regions.LEFT_EYE_AROUND))

RIGHT_BONE = (226, 113, 225, 224, 223, 222, 221, 189, 244)
LEFT_BONE = (446, 342, 445, 444, 443, 442, 441, 413, 464)

CHEEKS = ((50, 116, 36, 118, 187), (280, 345, 266, 347, 411))
"""Right and left, for blush: the apple of the cheek, and about it outwards, inwards, up and down."""

CHEEK_POINTS = (
    *(*regions.RIGHT_CHEEK, 50, 117, 123, 205),
    *(*regions.LEFT_CHEEK, 280, 346, 352, 425),
)
"""Skin for certain, where no hair is."""

LIP_ANCHORS, LID_ANCHORS, CHEEK_ANCHORS = slice(0, 36), slice(36, 72), slice(72, 98)
"""Of the anchors: on the lips, on and above the folds of the lids, and on the cheeks."""

BROW_BRIDGE, HAIRLINE = 9, 0.35
"""The landmark between the brows, and how far the forehead goes on beyond the mesh, by its height within the mesh."""

RIGID = (168, 2)
"""Bridge and foot of the nose: a length that no expression changes."""


class Shapes(NamedTuple):
    """Closed loops (N, 2) in frame px. Those of several parts are joined by lines there and back, which enclose nothing,
    and holes run the other way round, so that each is one polygon."""

    lips: Tensor
    """Without what is between them."""
    shadow: Tensor
    liner: Tensor
    brows: Tensor
    skin: Tensor
    """The face without eyes, brows and lips."""
    cheeks: Tensor
    """(2, 5, 2): ``CHEEKS``."""
    anchors: Tensor
    """(98, 2) places whose colours are remembered."""


def shapes(landmarks: Tensor) -> Shapes:
    """The outlines of (478, 2 or more) landmarks in frame px, on their device."""
    weights, lengths = _weights(landmarks.device)
    # With the two coordinates as rows the product takes a seventh of the time.
    points = (landmarks[:, :2].T.contiguous() @ weights.T).T.contiguous()
    lips, shadow, liner, brows, skin, cheeks, anchors = torch.split_with_sizes(points, lengths)
    return Shapes(lips, shadow, liner, brows, skin, cheeks.reshape(2, 5, 2), anchors)


@lru_cache(maxsize=8)
def _weights(device: torch.device) -> tuple[Tensor, list[int]]:
    lips_outer, lips_inner = _smooth(_rows(regions.LIPS_OUTER)), _smooth(_rows(regions.LIPS_INNER))
    brows = [_grown(_rows(brow), 0.04) for brow in (regions.RIGHT_BROW, regions.LEFT_BROW)]
    # The skin's edges are soft, so corners do not show: every other point will do.
    holes = [_rows(eye[::2]) for eye in (regions.RIGHT_EYE_AROUND, regions.LEFT_EYE_AROUND)]
    holes += [*brows, _grown(_rows(regions.LIPS_OUTER[::2]), 0.08)]
    sides = [
        tuple(_rows(row) for row in rows) for rows in ((RIGHT_LID, RIGHT_FOLD, RIGHT_BONE), (LEFT_LID, LEFT_FOLD, LEFT_BONE))
    ]
    parts = [
        _joined([lips_outer], [lips_inner]),
        _joined([_shadow(*side) for side in sides]),
        _joined([_liner(side[0]) for side in sides]),
        _joined([_smooth(brow) for brow in brows]),
        _joined([_forehead(_grown(_rows(regions.FACE_OVAL), -0.04))], holes),
        _rows([point for cheek in CHEEKS for point in cheek]),
        _anchors(),
    ]
    return torch.cat(parts).to(device), [len(part) for part in parts]


def _forehead(oval: Tensor) -> Tensor:
    """The mesh ends below the hairline: its upper rim is drawn out, most in the middle."""
    height = (oval[:, : mesh.VERTICES] @ mesh.CANONICAL)[:, 1:2]
    brows = float(mesh.CANONICAL[regions.RIGHT_BROW[0], 1])
    share = ((height - brows) / (height.max() - brows)).clamp(min=0.0)
    ends = _rows((regions.FOREHEAD, BROW_BRIDGE))
    return oval + HAIRLINE * share * (ends[:1] - ends[1:])


def _shadow(lid: Tensor, fold: Tensor, bone: Tensor) -> Tensor:
    """From the edge of the lid to somewhat above its fold, drawn out beyond the outer corner."""
    reach = torch.linspace(0.6, 0.25, len(lid))[:, None]
    top = fold + reach * (bone - fold)
    outwards = lid[:1] - lid[-1:]
    tip = top[:1] + 0.12 * outwards + 0.03 * _up()
    return torch.cat((_curve(lid), _curve(torch.cat((tip, top[1:]))).flip(0)))


def _liner(lid: Tensor) -> Tensor:
    """A line along the lid that gets thicker outwards, and ends in a small wing."""
    thick = torch.tensor([0.065, 0.075, 0.07, 0.065, 0.055, 0.05, 0.04, 0.03, 0.015])[:, None]
    wing = lid[:1] + 0.14 * (lid[:1] - lid[-1:]) + 0.09 * _up()
    lower, upper = lid - 0.015 * _up(), lid + thick * _up()
    return torch.cat((_curve(torch.cat((wing, lower[1:]))), _curve(torch.cat((wing, upper))).flip(0)))


def _anchors() -> Tensor:
    """Two rows along the lips but for their corners, the folds and what is above them, and the cheeks."""
    outer, inner = (torch.cat((lips[1:10], lips[11:])) for lips in (_rows(regions.LIPS_OUTER), _rows(regions.LIPS_INNER)))
    lips = [outer.lerp(inner, 0.3), outer.lerp(inner, 0.65)]
    folds = [_rows(RIGHT_FOLD), _rows(LEFT_FOLD)]
    above = [fold.lerp(_rows(bone), 0.6) for fold, bone in zip(folds, (RIGHT_BONE, LEFT_BONE), strict=True)]
    return torch.cat((*lips, *folds, *above, _rows(CHEEK_POINTS)))


def _sides() -> Tensor:
    """(2, 98) for the right and the left side, which anchors on lips and lids lie there: rows that add up to 1."""
    x = (_anchors()[:, : mesh.VERTICES] @ mesh.CANONICAL)[:, 0]
    x[CHEEK_ANCHORS] = 0.0
    sides = torch.stack((x < -1.0, x > 1.0)).float()
    return sides / sides.sum(1, keepdim=True)


def _up() -> Tensor:
    """(1, 478) the length of the nose, towards the forehead."""
    ends = _rows(RIGID)
    return ends[:1] - ends[1:]


def _rows(indices: Sequence[int]) -> Tensor:
    """(n, 478), each row one landmark."""
    return torch.eye(COUNT)[list(indices)]


def _grown(loop: Tensor, share: float) -> Tensor:
    """Larger by a share of its size, about its middle."""
    return loop + share * (loop - loop.mean(0, keepdim=True))


def _smooth(loop: Tensor) -> Tensor:
    """A closed Catmull-Rom spline through the points."""
    return _spline(loop.roll(1, 0), loop, loop.roll(-1, 0), loop.roll(-2, 0))


def _curve(points: Tensor) -> Tensor:
    """An open one, with both its ends."""
    before, after = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    all_ = torch.cat((before, points, after))
    return torch.cat((_spline(all_[:-3], all_[1:-2], all_[2:-1], all_[3:]), points[-1:]))


def _spline(before: Tensor, start: Tensor, end: Tensor, after: Tensor) -> Tensor:
    t = (torch.arange(SUBDIVISIONS) / SUBDIVISIONS)[:, None]
    before, start, end, after = (points[:, None] for points in (before, start, end, after))
    linear, square = end - before, 2 * before - 5 * start + 4 * end - after
    cubic = 3 * start - before - 3 * end + after
    return (0.5 * (2 * start + linear * t + square * t**2 + cubic * t**3)).flatten(0, 1)


def _joined(loops: Sequence[Tensor], holes: Sequence[Tensor] = ()) -> Tensor:
    """One loop that goes round each and back to the start of the first."""
    turned = [loop if _clockwise(loop) else loop.flip(0) for loop in loops]
    turned += [hole.flip(0) if _clockwise(hole) else hole for hole in holes]
    home = turned[0][:1]
    return torch.cat([part for loop in turned for part in (home, loop, loop[:1], home)])


def _clockwise(loop: Tensor) -> bool:
    """As seen in a picture of the mean face."""
    x, y = (loop[:, : mesh.VERTICES] @ mesh.CANONICAL)[:, :2].unbind(1)
    return bool((x * y.roll(-1) - y * x.roll(-1)).sum() < 0)


SIDES = _sides()
