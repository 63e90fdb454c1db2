from __future__ import annotations

import pytest
import torch
from torch import Tensor

from transforms.faces import mesh, regions
from transforms.faces.makeup_shapes import CHEEK_ANCHORS, LID_ANCHORS, LIP_ANCHORS, SIDES, Shapes, shapes
from transforms.faces.raster import polygon
from transforms.frame import Box

SIDE = 400
BOX = Box(0, 0, SIDE, SIDE)


@pytest.fixture(scope="module")
def landmarks() -> Tensor:
    """The mean face, 16 px to a centimetre, as a camera sees it, its mouth a little open."""
    points = torch.zeros(478, 3)
    points[: mesh.VERTICES] = mesh.CANONICAL * torch.tensor([16.0, -16.0, -16.0]) + torch.tensor([200.0, 200.0, 0.0])
    lower = list(regions.LIPS_INNER[1:10]) + list(regions.LIPS_OUTER[1:10])
    points[lower, 1] += 14.0
    return points


@pytest.fixture(scope="module")
def loops(landmarks: Tensor) -> Shapes:
    return shapes(landmarks)


def at(mask: Tensor, place: Tensor) -> float:
    return float(mask[int(place[1]), int(place[0])])


def middle(landmarks: Tensor, loop: tuple[int, ...]) -> Tensor:
    return landmarks[list(loop), :2].mean(0)


def test_lipstick_goes_on_both_lips_and_not_between_them(loops: Shapes, landmarks: Tensor) -> None:
    mask = polygon(loops.lips, BOX)
    upper, lower = ((landmarks[a, :2] + landmarks[b, :2]) / 2 for a, b in ((0, 13), (17, 14)))
    assert at(mask, upper) == 1
    assert at(mask, lower) == 1
    assert at(mask, middle(landmarks, regions.LIPS_INNER)) == 0
    assert at(mask, middle(landmarks, regions.NOSE)) == 0


def test_skin_is_neither_eyes_nor_brows_nor_mouth(loops: Shapes, landmarks: Tensor) -> None:
    mask = polygon(loops.skin, BOX)
    for loop in (regions.LEFT_EYE, regions.RIGHT_EYE, regions.LEFT_BROW, regions.RIGHT_BROW, regions.LIPS_OUTER):
        assert at(mask, middle(landmarks, loop)) == 0
    for point in (50, 280, regions.FOREHEAD, 199, 4):
        assert at(mask, landmarks[point]) == 1
    oval = polygon(landmarks[list(regions.FACE_OVAL), :2], BOX)
    assert mask.sum() / oval.sum() == pytest.approx(0.85, abs=0.1)


def test_eyes_stay_free_of_shadow_and_liner(loops: Shapes, landmarks: Tensor) -> None:
    for loop in (loops.shadow, loops.liner):
        mask = polygon(loop, BOX)
        for eye in (regions.LEFT_EYE, regions.RIGHT_EYE):
            assert at(mask, middle(landmarks, eye)) == 0
    shadow = polygon(loops.shadow, BOX)
    assert at(shadow, landmarks[27]) == 1
    assert at(shadow, landmarks[257]) == 1


def test_left_and_right_have_as_much(loops: Shapes) -> None:
    for loop in (loops.lips, loops.shadow, loops.liner, loops.brows, loops.skin):
        mask = polygon(loop, BOX)
        assert mask[:, :200].sum() == pytest.approx(float(mask[:, 200:].sum()), rel=0.06)


def test_shapes_move_with_the_face(loops: Shapes, landmarks: Tensor) -> None:
    for loop, moved in zip(loops, shapes(landmarks + torch.tensor([10.0, -5.0, 0.0])), strict=True):
        assert torch.allclose(moved, loop + torch.tensor([10.0, -5.0]), atol=1e-2)


def test_anchors_are_where_their_names_say(loops: Shapes, landmarks: Tensor) -> None:
    assert len(loops.anchors) == CHEEK_ANCHORS.stop
    lips, skin = polygon(loops.lips, BOX), polygon(loops.skin, BOX)
    assert all(at(lips, anchor) > 0.5 for anchor in loops.anchors[LIP_ANCHORS])
    assert all(at(skin, anchor) > 0.9 for anchor in loops.anchors[CHEEK_ANCHORS])
    eyes = loops.anchors[LID_ANCHORS, 1]
    assert eyes.max() < landmarks[1, 1]
    assert SIDES.sum(1).tolist() == pytest.approx([1.0, 1.0])
    assert loops.anchors[SIDES[0] > 0, 0].max() < 200 < loops.anchors[SIDES[1] > 0, 0].min()
