from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.transforms.pictures import flat
from transforms.faces.makeup_guard import Guard
from transforms.faces.makeup_paint import Area, pooled, read
from transforms.faces.makeup_shapes import CHEEK_ANCHORS, LID_ANCHORS, LIP_ANCHORS
from transforms.frame import Box, Frame

SKIN, LIP, HAND = (140, 118, 145), (100, 120, 158), (150, 118, 145)
LIPS = Box(80, 140, 160, 180)
STEP = 1 / 30


def draw(frame: Frame, box: Box, colour: tuple[int, int, int]) -> None:
    y, u, v = frame.writable()
    y[box.top : box.bottom, box.left : box.right] = colour[0]
    for plane, code in ((u, colour[1]), (v, colour[2])):
        plane[box.top // 2 : box.bottom // 2, box.left // 2 : box.right // 2] = code


def portrait(light: float = 1.0, hand: Box | None = None) -> Frame:
    """Skin all over but for lips, and perhaps something before them."""
    frame = flat(240, 240)
    draw(frame, frame.box, SKIN)
    draw(frame, LIPS, LIP)
    if hand:
        draw(frame, hand, HAND)
    y = frame.writable().y
    y.copy_(((y.float() - 16) * light + 16).to(torch.uint8))
    return frame


@pytest.fixture
def anchors() -> Tensor:
    points = torch.zeros(98, 2)
    x, y = torch.meshgrid(torch.linspace(88, 152, 9), torch.linspace(145, 175, 4), indexing="xy")
    points[LIP_ANCHORS] = torch.stack((x.flatten(), y.flatten()), 1)
    points[LID_ANCHORS] = torch.stack((torch.linspace(40, 200, 36), torch.full((36,), 60.0)), 1)
    points[CHEEK_ANCHORS] = torch.stack((torch.linspace(40, 200, 26), torch.full((26,), 110.0)), 1)
    return points


def seen(guard: Guard, frame: Frame) -> Tensor | None:
    area = read(frame, LIPS)
    half = Box(LIPS.left // 2, LIPS.top // 2, LIPS.right // 2, LIPS.bottom // 2)
    return guard.visible(LIP_ANCHORS, Area(pooled(area.y), area.uv), half)


def shown(guard: Guard, frame: Frame, anchors: Tensor, times: int = 8) -> Tensor | None:
    for _ in range(times):
        guard.look(frame, anchors, 150.0, STEP)
    return seen(guard, frame)


@pytest.fixture
def guard(anchors: Tensor) -> Guard:
    return Guard(portrait(), anchors, 150.0)


def test_nothing_is_covered_where_nothing_changes(guard: Guard, anchors: Tensor) -> None:
    assert shown(guard, portrait(), anchors) is None
    assert guard.sides().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("light", [0.75, 1.25])
def test_other_light_covers_nothing(guard: Guard, anchors: Tensor, light: float) -> None:
    assert shown(guard, portrait(light), anchors) is None


def test_a_hand_is_left_out_and_the_lips_beside_it_are_not(guard: Guard, anchors: Tensor) -> None:
    visible = shown(guard, portrait(hand=Box(60, 120, 110, 200)), anchors)
    assert visible is not None
    assert visible[:, :13].max() < 0.05
    assert visible[:, 17:].min() > 0.95
    assert guard.sides().max() < 0.9


def test_a_hand_that_goes_leaves_nothing(guard: Guard, anchors: Tensor) -> None:
    shown(guard, portrait(hand=LIPS), anchors)
    assert shown(guard, portrait(), anchors) is None


def test_a_hand_stays_a_hand_for_seconds(guard: Guard, anchors: Tensor) -> None:
    visible = shown(guard, portrait(hand=LIPS), anchors, times=150)
    assert visible is not None
    assert visible.mean() < 0.1


def test_lips_like_skin_are_never_taken_for_a_hand(anchors: Tensor) -> None:
    pale = portrait(hand=LIPS)
    guard = Guard(pale, anchors, 150.0)
    assert shown(guard, pale, anchors) is None


def test_the_light_on_a_face(anchors: Tensor) -> None:
    assert Guard(portrait(), anchors, 150.0).light == 1
    assert 0.2 <= Guard(portrait(0.2), anchors, 150.0).light < 0.6
