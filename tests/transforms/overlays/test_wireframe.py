from __future__ import annotations

from dataclasses import replace

import torch

from tests.transforms.faces.fakes import face as fake
from transforms.faces.face import Face
from transforms.overlays.wireframe import FRAME, lines


def standing(x: float, y: float) -> Face:
    """A face whose landmarks all lie in its middle, so that its box is all there is to be seen around it."""
    found = fake(x, y, 100.0)
    return replace(found, landmarks=torch.tensor([x, y, 0.0]).repeat(478, 1))


def test_the_faces_box_is_drawn() -> None:
    mask, box = lines(standing(200.5, 150.5), (400, 300))
    left, top = 150 - box.left, 100 - box.top
    assert torch.allclose(mask[top, left : left + 101], torch.tensor(FRAME))
    assert torch.allclose(mask[top : top + 101, left + 100], torch.tensor(FRAME))
    assert float(mask[top + 20, left + 20]) == 0
    assert float(mask[top + 50, left + 50]) > FRAME


def test_what_lies_outside_of_the_picture_is_left_out() -> None:
    mask, box = lines(standing(10.5, 20.5), (400, 300))
    assert (box.left, box.top) == (0, 0)
    assert mask.shape == (box.height, box.width)
    assert float(mask[:60, 0].max()) == 0, "its left edge is outside"
    assert lines(standing(-300.0, 20.0), (400, 300))[1].empty
