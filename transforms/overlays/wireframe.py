"""What the tracker sees, drawn onto the frame: the mesh, the irises, the face's box, its id and how it is turned."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from transforms.faces.face import Face, FaceBox
from transforms.faces.mesh import TRIANGLES
from transforms.faces.pose import pose_of
from transforms.faces.raster import around
from transforms.faces.regions import FACE_OVAL, LEFT_EYE, LEFT_IRIS, LIPS_INNER, LIPS_OUTER, RIGHT_EYE, RIGHT_IRIS
from transforms.frame import Box

MESH, LOOPS, IRIS, FRAME = 0.35, 0.9, 1.0, 0.8
"""Opacity of the mesh's edges, of the outlines of eyes, lips and face, of the irises, and of the face's box."""

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


def lines(face: Face, size: tuple[int, int]) -> tuple[Tensor, Box]:
    """(h, w) opacity of the lines, and the part of a picture (width, height) where they are."""
    landmarks = face.landmarks[:, :2]
    frame = landmarks.new_tensor(((face.box.left, face.box.top), (face.box.right, face.box.bottom)))
    box = around(torch.cat((landmarks, frame)), 2, size)
    if box.width < 2 or box.height < 2:
        return torch.zeros(0, 0, device=landmarks.device), Box(0, 0, 0, 0)
    edges, strength = _edges(landmarks.device)
    start, end = landmarks.index_select(0, edges[:, 0]), landmarks.index_select(0, edges[:, 1])
    count = ((end - start).abs().amax(1).nan_to_num(0.0) * DOTS + 2).clamp(max=MOST_DOTS).long()
    ends = count.cumsum(0)
    owner = torch.repeat_interleave(count)
    table = torch.stack((*start.T, *(end - start).T / (count - 1), strength, (ends - count).float()))
    x, y, across, down, weight, first = table.index_select(1, owner)
    number = torch.arange(len(owner), device=owner.device) - first
    # What is outside of the box falls on a rim of two px around it.
    x = across.mul_(number).add_(x).sub_(box.left + 0.5).nan_to_num_(-2.0).clamp_(-2, box.width)
    y = down.mul_(number).add_(y).sub_(box.top + 0.5).nan_to_num_(-2.0).clamp_(-2, box.height)
    column, row = x.floor(), y.floor()
    x, y = x.sub_(column), y.sub_(row)
    width = box.width + 4
    corner = row.add_(2).mul_(width).add_(column.add_(2)).long()
    canvas = torch.zeros((box.height + 4) * width, device=landmarks.device)
    below = y * weight
    above = weight - below
    for place, share in ((0, above * (1 - x)), (1, above * x), (width, below * (1 - x)), (width + 1, below * x)):
        canvas.scatter_reduce_(0, corner + place, share, "amax")
    mask = canvas.reshape(-1, width)[2:-2, 2:-2]
    return torch.maximum(mask, _rectangle(face.box, box, landmarks.device)), box


def _rectangle(face: FaceBox, box: Box, device: torch.device) -> Tensor:
    """(h, w) opacity of the outline of the face's box, one px thick and soft, over a part of the picture."""

    def line(first: int, length: int, near: float, far: float) -> tuple[Tensor, Tensor]:
        """How far each place on an axis is on one of the two edges, and whether it is between them."""
        place = torch.arange(length, device=device) + (first + 0.5)
        edge = (1 - torch.minimum((place - near).abs(), (place - far).abs())).clamp_(min=0)
        return edge, ((place >= near) & (place <= far)).float().maximum(edge)

    (upright, across), (level, down) = (
        line(box.left, box.width, face.left, face.right),
        line(box.top, box.height, face.top, face.bottom),
    )
    return torch.maximum(upright[None] * down[:, None], level[:, None] * across[None]).mul_(FRAME)


def label(face: Face) -> str:
    """What is written beside a face: its id, how it is turned, how sure the tracker is."""
    yaw, pitch, roll = pose_of(face.landmarks).degrees
    return f"face {face.id}  yaw {yaw:+.0f}  pitch {pitch:+.0f}  roll {roll:+.0f}  {100 * face.presence:.0f}%"
