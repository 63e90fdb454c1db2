"""The mesh with its mouth and eyes cut open, so that lips part and lids close over what is behind them.

In the plain mesh the triangles between the lips and between the lids stretch what is there. Here teeth stay with their jaw
while the lips part, and an iris keeps its shape while the lids move.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.faces.mesh import TRIANGLES, VERTICES
from transforms.faces.regions import BRIDGE, CHIN, LEFT_EYE, LIPS_INNER, RIGHT_EYE

COLUMNS = 9
"""Between the corners of the mouth."""

RING = 0.62
"""Where the ring of an eye lies that moves with its iris, on the way from the iris to the lids."""

SHOWING = 0.035
"""Distance of the lips, by that from the bridge of the nose to the chin (12 cm), from which teeth are to be seen."""

BEHIND = 10.0
"""How far the inside is put back, by its distance to the bridge of the nose, so that lips and lids show where they overlap."""

IRISES = {"left": 473, "right": 468}

_LOWER, _UPPER = LIPS_INNER[1:10], LIPS_INNER[:10:-1]
"""Of the inner lips, column by column from the right corner to the left."""

_LIDS = (LEFT_EYE, RIGHT_EYE)
_SIDES = len(LEFT_EYE)


class Opened(NamedTuple):
    """A movement of the mesh, ready for ``warp``."""

    source: Tensor
    """(N, 3) frame px."""
    target: Tensor
    triangles: Tensor
    gap: Tensor
    """(20, 2): the polygon, after the movement, of what was not to be seen before, between upper and lower jaw; from the right
    corner along its lower edge to the left corner and back."""
    rest: Tensor
    """(9, 2): where the lips met before the movement, from the right to the left."""
    hidden: float
    """1 where the lips were closed before, 0 where they already showed the teeth."""
    opening: float
    """Height of the gap in its middle, px; nothing or less where the lips did not part."""


def _triangles() -> Tensor:
    closed = [set(LIPS_INNER), set(LEFT_EYE), set(RIGHT_EYE)]
    kept = [t for t in TRIANGLES.tolist() if not any(set(t) <= loop for loop in closed)]
    # The mouth: between the upper lip and a seam that moves with it, and between the lower lip and its own.
    corners = LIPS_INNER[0], LIPS_INNER[10]
    for lip, start in ((_UPPER, VERTICES), (_LOWER, VERTICES + COLUMNS)):
        seam = [corners[0], *range(start, start + COLUMNS), corners[1]]
        edge = [corners[0], *lip, corners[1]]
        for i in range(COLUMNS + 1):
            kept += [[edge[i], edge[i + 1], seam[i]], [edge[i + 1], seam[i + 1], seam[i]]]
    for number, lids in enumerate(_LIDS):
        ring = VERTICES + 2 * COLUMNS + number * (_SIDES + 1)
        for i in range(_SIDES):
            j = (i + 1) % _SIDES
            kept += [[lids[i], lids[j], ring + i], [lids[j], ring + j, ring + i], [ring + i, ring + j, ring + _SIDES]]
    return torch.tensor([t for t in kept if len(set(t)) == 3])


_OPENED = _triangles()


@lru_cache(maxsize=8)
def _indices(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        _OPENED.to(device),
        torch.tensor(_UPPER, device=device),
        torch.tensor(_LOWER, device=device),
        torch.tensor(_LIDS, device=device),
    )


def opened(landmarks: Tensor, moved: Tensor, gaze: Tensor) -> Opened:
    """The movement of (478, 3) landmarks, frame px, by which the mesh's vertices come to lie at ``moved`` (468, 3), and the
    irises, left and right, move by ``gaze`` (2, 3) besides what the lids do to them."""
    triangles, upper, lower, lids = _indices(landmarks.device)
    source = landmarks[:VERTICES]
    change = moved - source
    middle = (source[upper] + source[lower]) / 2
    above, below = middle + change[upper], middle + change[lower]
    seam = (above + below) / 2
    eyes_before, eyes_after = [], []
    for side, iris in enumerate(IRISES.values()):
        rim, rim_moved, centre = source[lids[side]], moved[lids[side]], landmarks[iris]
        # The iris keeps its place between the lids where they close, and stays where it is where they open.
        ring = centre + RING * (rim - centre)
        top, bottom = change[lids[side][12]], change[lids[side][4]]
        lid = source[lids[side][12]] - source[lids[side][4]]
        place = (((centre - source[lids[side][4]]) * lid).sum() / lid.square().sum().clamp(min=1e-6)).clamp(0.1, 0.9)
        closing = ((top - bottom) * lid).sum() < 0
        shift = torch.where(closing, torch.lerp(bottom, top, place), (top + bottom) * 0.15)
        now = centre + shift
        after = torch.where(closing, now + RING * (rim_moved - now), ring + shift) + gaze[side]
        eyes_before.append(torch.cat((ring, centre[None])))
        eyes_after.append(torch.cat((after, (now + gaze[side])[None])))
    inside = torch.cat((seam, seam, *eyes_after))
    inside[:, 2] += BEHIND * (inside[:, 2] - moved[BRIDGE, 2]).abs().max().clamp(min=1.0)
    left, right = moved[LIPS_INNER[0], :2][None], moved[LIPS_INNER[10], :2][None]
    gap = torch.cat((left, below[:, :2], right, above[:, :2].flip(0)))
    # Down the face; a movement the other way is of lips that close over each other.
    down = moved[CHIN, :2] - moved[BRIDGE, :2]
    opening = ((below - above)[COLUMNS // 2, :2] * down).sum() / down.norm().clamp(min=1e-6)
    before = (source[lower] - source[upper])[COLUMNS // 2, :2].norm() / down.norm().clamp(min=1e-6)
    return Opened(
        torch.cat((source, seam - change[upper], seam - change[lower], *eyes_before)),
        torch.cat((moved, inside)),
        triangles,
        gap,
        middle[:, :2],
        max(0.0, min(1.0, (SHOWING - float(before)) / SHOWING)),
        float(opening),
    )
