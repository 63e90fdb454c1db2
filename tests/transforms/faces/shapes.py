"""Faces made for tests."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL


def face_at(x: float, y: float, scale: float = 10.0, roll: float = 0.0, yaw: float = 0.0) -> Tensor:
    """(468, 3) the mean face as landmarks: its origin at x, y px, so many px a cm, turned by radians."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    points = CANONICAL @ torch.tensor([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
    points = points * torch.tensor([scale, -scale, -scale])
    cos, sin = math.cos(roll), math.sin(roll)
    turned = points @ torch.tensor([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return turned + torch.tensor([x, y, 0.0])
