"""Which of a face's outer vertices lie on bare skin, and which on a fringe, on hair before the ears, or beside the face."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL, TRIANGLES, VERTICES
from transforms.frame import Frame
from transforms.portraits.layout import feature_distance, rim_distance

OUTER = 2.6
"""cm from the rim within which a vertex is asked; further in all is taken for the face's, a beard as well."""

FOREHEAD = 5.9
"""y of the mean face, cm, above which it is: even thick brows end below."""

CLEAR = 0.9
"""cm from lids, brows, lips and nostrils from which on skin is certain."""

DARKER, BRIGHTER = (0.48, 0.66), (1.75, 1.4)
"""Luma, by that of the nearest certain skin: from the first on it is not skin, up to the second it is."""

APART = 26.0, 12.0
"""Chroma codes away from it: likewise."""

TAP = 0.25
"""cm between the three by three pixels that are averaged at a vertex."""


class _Places(NamedTuple):
    asked: Tensor
    """(n,) vertices."""
    near: Tensor
    """(n, 3) those they are compared with."""
    outer: Tensor
    """(468,) bool: the same."""
    around: Tensor
    """(468, k) each vertex and its neighbours, itself where there are fewer."""


@lru_cache(maxsize=8)
def _places(device: torch.device) -> _Places:
    outer = (rim_distance() < OUTER) | (CANONICAL[:, 1] > FOREHEAD)
    asked = outer.nonzero().squeeze(1)
    certain = ((rim_distance() > OUTER) & (feature_distance() > CLEAR) & (CANONICAL[:, 1] < FOREHEAD)).nonzero().squeeze(1)
    nearest = torch.cdist(CANONICAL[asked], CANONICAL[certain]).topk(3, largest=False).indices
    neighbours: list[set[int]] = [{vertex} for vertex in range(VERTICES)]
    for triangle in TRIANGLES.tolist():
        for vertex in triangle:
            neighbours[vertex].update(triangle)
    most = max(map(len, neighbours))
    rows = [[*sorted(each), *[vertex] * (most - len(each))] for vertex, each in enumerate(neighbours)]
    return _Places(asked.to(device), certain[nearest].to(device), outer.to(device), torch.tensor(rows, device=device))


def bare(frame: Frame, points: Tensor, scale: float) -> Tensor:
    """(468,) 1 on skin, 0 on what is none. ``points`` (468, 2 or more) in frame px, ``scale`` the px of a cm."""
    places = _places(points.device)
    colours = _sampled(frame, points, TAP * scale)
    here, skin = colours[:, places.asked], colours[:, places.near].median(2).values
    ratio = here[0].clamp(min=1.0) / skin[0].clamp(min=8.0)
    apart = (here[1:] - skin[1:]).norm(dim=0)
    sure = torch.stack(
        (
            (ratio - DARKER[0]) / (DARKER[1] - DARKER[0]),
            (BRIGHTER[0] - ratio) / (BRIGHTER[0] - BRIGHTER[1]),
            (APART[0] - apart) / (APART[0] - APART[1]),
        )
    )
    seen = torch.ones(VERTICES, device=points.device)
    seen[places.asked] = sure.amin(0).clamp(0, 1)
    # What is next to hair has some.
    return torch.where(places.outer, eroded(seen), seen)


def eroded(values: Tensor) -> Tensor:
    """(468,) the least of each vertex and its neighbours."""
    return values[_places(values.device).around].amin(1)


def _sampled(frame: Frame, points: Tensor, distance: float) -> Tensor:
    """(3, 468) mean Y from black on, and U and V about 0, of nine pixels each."""
    steps = torch.arange(-1, 2, device=points.device) * distance
    x = (points[:, 0, None] + steps).nan_to_num(0.0).long().clamp_(0, frame.width - 1)[:, None, :]
    y = (points[:, 1, None] + steps).nan_to_num(0.0).long().clamp_(0, frame.height - 1)[:, :, None]
    luma, u, v = frame.planes
    half = (y // 2, x // 2)
    means = torch.stack((luma[y, x], u[half], v[half])).float().mean((2, 3))
    return means - torch.tensor([frame.color.black, 128.0, 128.0], device=points.device)[:, None]
