"""What the tracker sees, drawn onto the frame: the mesh, the irises, the face's box, its id and how it is turned."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from transforms.faces.face import Face
from transforms.faces.mesh import TRIANGLES
from transforms.faces.pose import pose_of
from transforms.faces.raster import around
from transforms.faces.regions import FACE_OVAL, LEFT_EYE, LEFT_IRIS, LIPS_INNER, LIPS_OUTER, RIGHT_EYE, RIGHT_IRIS
from transforms.frame import Box

MESH, LOOPS, IRIS = 0.35, 0.9, 1.0
"""Opacity of the mesh's edges, of the outlines of eyes, lips and face, and of the irises."""

DOTS = 1.3
"""Dots for a px of an edge: no gaps."""

MOST_DOTS = 96
"""Along one edge: a face as large as a 1080p picture has edges of some 80 px."""


@lru_cache(maxsize=4)
def _edges(device: torch.device) -> tuple[Tensor, Tensor]:
    """(E, 2) landmarks that are joined, and (E,) how strongly."""
    pairs = torch.cat((TRIANGLES[:, [0, 1]], TRIANGLES[:, [1, 2]], TRIANGLES[:, [2, 0]])).sort(1).values
    pairs = torch.unique(pairs, dim=0)
    loops = [torch.tensor(loop) for loop in (FACE_OVAL, LIPS_OUTER, LIPS_INNER, LEFT_EYE, RIGHT_EYE)]
    irises = [torch.tensor(loop) for loop in (LEFT_IRIS, RIGHT_IRIS)]
    joined = [torch.stack((loop, loop.roll(-1)), 1) for loop in (*loops, *irises)]
    counts = [sum(map(len, loops)), sum(map(len, irises))]
    strength = torch.cat((torch.full((len(pairs),), MESH), torch.full((counts[0],), LOOPS), torch.full((counts[1],), IRIS)))
    return torch.cat((pairs, *joined)).to(device), strength.to(device)


def lines(landmarks: Tensor, size: tuple[int, int]) -> tuple[Tensor, Box]:
    """(h, w) opacity of the lines, and the part of a picture (width, height) where they are."""
    box = around(landmarks, 2, size)
    mask = torch.zeros(max(0, box.height), max(0, box.width), device=landmarks.device)
    if box.width < 2 or box.height < 2:
        return mask, Box(0, 0, 0, 0)
    edges, strength = _edges(landmarks.device)
    start, end = landmarks[edges[:, 0], :2], landmarks[edges[:, 1], :2]
    count = ((end - start).abs().amax(1) * DOTS + 2).clamp(max=MOST_DOTS).long()
    owner = torch.repeat_interleave(count)
    number = torch.arange(len(owner), device=owner.device) - (count.cumsum(0) - count)[owner]
    dots = torch.lerp(start[owner], end[owner], (number / (count - 1)[owner])[:, None])
    dots = dots - torch.tensor([box.left + 0.5, box.top + 0.5], device=dots.device)
    corner = dots.floor()
    part = dots - corner
    weight = strength[owner]
    flat = mask.reshape(-1)
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = corner[:, 0].long() + right, corner[:, 1].long() + down
        share = (part[:, 0] if right else 1 - part[:, 0]) * (part[:, 1] if down else 1 - part[:, 1])
        inside = (x >= 0) & (x < box.width) & (y >= 0) & (y < box.height)
        flat.scatter_reduce_(0, (y * box.width + x)[inside], (share * weight)[inside], "amax")
    return mask, box


def label(face: Face) -> str:
    """What is written beside a face: its id, how it is turned, how sure the tracker is."""
    yaw, pitch, roll = pose_of(face.landmarks).degrees
    return f"face {face.id}  yaw {yaw:+.0f}  pitch {pitch:+.0f}  roll {roll:+.0f}  {100 * face.presence:.0f}%"
