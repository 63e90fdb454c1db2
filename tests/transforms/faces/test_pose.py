from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL
from transforms.faces.pose import pose_of


def turned(yaw: float, pitch: float, roll: float, scale: float = 12.0) -> Tensor:
    """(478, 3) landmarks of the mean face, turned in that order around its own axes (degrees)."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, -roll))
    around_y = torch.tensor([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    around_x = torch.tensor([[1, 0, 0], [0, math.cos(-p), -math.sin(-p)], [0, math.sin(-p), math.cos(-p)]])
    around_z = torch.tensor([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    points = CANONICAL @ (around_z @ around_y @ around_x).T * scale
    landmarks = torch.zeros(478, 3)
    landmarks[:468] = points * torch.tensor([1.0, -1.0, -1.0]) + torch.tensor([640.0, 360.0, 5.0])
    return landmarks


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, -25), (-60, 0, 0)])
def test_it_finds_how_a_face_was_turned(angles: tuple[float, float, float]) -> None:
    pose = pose_of(turned(*angles))
    assert pose.degrees == pytest.approx(angles, abs=0.1)
    assert pose.scale == pytest.approx(12, rel=1e-4)
    assert pose.origin == pytest.approx((640, 360), abs=0.05)


def test_its_view_lays_the_mean_face_onto_the_landmarks() -> None:
    landmarks = turned(25, -10, 15)
    torch.testing.assert_close(pose_of(landmarks).view(CANONICAL)[:, :2], landmarks[:468, :2], atol=0.05, rtol=0)


def test_a_face_without_extent_gives_no_scale_and_no_error() -> None:
    assert pose_of(torch.zeros(478, 3)).scale == pytest.approx(0)
