"""The 468-point face mesh that the landmarks are vertices of: its triangles, a mean face, texture coordinates.

Source: MediaPipe's canonical face model, as in the landmark network's own geometry metadata (see face_mesh.obj).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

VERTICES = 468
"""Landmarks 468 to 477 are the irises, which the mesh does not have."""


def _read(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    rows: dict[str, list[list[float]]] = {"v": [], "vt": [], "f": []}
    for line in path.read_text(encoding="ascii").splitlines():
        kind, *values = line.split()
        if kind in rows:
            rows[kind].append([float(value) for value in values])
    texture = torch.tensor(rows["vt"]) * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])
    return torch.tensor(rows["v"]), texture, torch.tensor(rows["f"], dtype=torch.int64) - 1


CANONICAL, UV, TRIANGLES = _read(Path(__file__).with_name("face_mesh.obj"))
"""A mean face (468, 3) in cm: x to the person's left, y up, z to the front; texture coordinates (468, 2) in [0, 1] from the
upper left, the person's right on the left; triangles (898, 3) int64, counter-clockwise as seen from the front. Eyes and mouth
are closed by triangles too. All on the host."""


def _mirrored() -> Tensor:
    flipped = CANONICAL * torch.tensor([-1.0, 1.0, 1.0])
    return torch.cdist(flipped, CANONICAL).argmin(1)


MIRROR = _mirrored()
"""(468,) int64: which vertex lies at the same place on the other side."""


@lru_cache(maxsize=8)
def triangles(device: torch.device) -> Tensor:
    """``TRIANGLES`` on a device."""
    return TRIANGLES.to(device)
