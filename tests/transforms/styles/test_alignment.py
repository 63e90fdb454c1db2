from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from transforms.faces.sampling import Placement
from transforms.styles.alignment import LEFT_IRIS, MOUTH_LEFT, MOUTH_RIGHT, RIGHT_IRIS, SIZE, aligned, within


def face(turn: float = 0.0, scale: float = 1.0) -> Tensor:
    """Eyes 60 px apart, the mouth 70 px below, about (200, 150)."""
    points = torch.zeros((478, 3))
    points[RIGHT_IRIS], points[LEFT_IRIS] = torch.tensor([-30.0, 0, 0]), torch.tensor([30.0, 0, 0])
    points[MOUTH_RIGHT], points[MOUTH_LEFT] = torch.tensor([-20.0, 70, 0]), torch.tensor([20.0, 70, 0])
    rotation = torch.tensor([[math.cos(turn), math.sin(turn), 0], [-math.sin(turn), math.cos(turn), 0], [0, 0, 1]])
    return points @ rotation * scale + torch.tensor([200.0, 150.0, 0.0])


def test_the_square_is_ffhqs() -> None:
    placement = aligned(face())
    assert placement is not None
    assert (placement.x, placement.y) == pytest.approx((200, 157))
    assert placement.side == pytest.approx(2 * max(2.0 * 60, 1.8 * 70))
    assert placement.roll == pytest.approx(0)


@pytest.mark.parametrize("turn", [-2.0, -0.4, 0.3, 3.0])
def test_it_turns_with_the_face(turn: float) -> None:
    upright, turned = aligned(face()), aligned(face(turn))
    assert upright is not None
    assert turned is not None
    assert turned.roll == pytest.approx(turn, abs=1e-4)
    torch.testing.assert_close(within(face(turn), turned), within(face(), upright), atol=1e-2, rtol=0)


def test_within_is_the_way_back() -> None:
    placement = Placement(100.0, 80.0, 150.0, 0.7)
    points = torch.rand((478, 3), generator=torch.Generator().manual_seed(3)) * 200
    inside = torch.cat((within(points, placement), points[:, 2:] * SIZE / placement.side), 1)
    torch.testing.assert_close(placement.to_frame(inside, SIZE), points, atol=1e-3, rtol=0)


@pytest.mark.parametrize("points", [face(scale=0.01), face() * math.nan, face() * math.inf])
def test_what_is_no_face_has_no_square(points: Tensor) -> None:
    assert aligned(points) is None
