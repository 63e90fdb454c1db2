from __future__ import annotations

import math

import pytest
import torch

from transforms.faces.head import Head
from transforms.faces.stencil import Shape, Stencil, Stencils
from transforms.faces.veil import blocks
from transforms.frame import Box

CPU = torch.device("cpu")
WIDTH, HEIGHT = 200, 160


def shape(head: Head | None, soft: float = 8.0, width: int = WIDTH, height: int = HEIGHT) -> Shape:
    return Shape(head, soft, 10.0, 1.0, (blocks,), width, height)


@pytest.mark.parametrize("roll", [0.0, 0.4, -2.0])
def test_all_of_the_head_is_hidden_and_less_and_less_of_its_edge(roll: float) -> None:
    head, soft = Head(100, 80, 30, 40, roll), 8.0
    stencil = Stencil(shape(head, soft), CPU)
    mask = torch.zeros(HEIGHT, WIDTH)
    left, top, right, bottom = stencil.box
    assert stencil.masks[0] is not None
    mask[top:bottom, left:right] = stencil.masks[0]
    x, y = torch.arange(WIDTH)[None] + 0.5 - head.x, torch.arange(HEIGHT)[:, None] + 0.5 - head.y
    across = (x * math.cos(roll) + y * math.sin(roll)) / head.across
    down = (y * math.cos(roll) - x * math.sin(roll)) / head.down
    radius = (across**4 + down**4) ** 0.25
    end = 1 + soft / head.across
    assert (mask[radius <= 1] == 1).all()
    assert (mask[radius >= end + 1e-3] == 0).all()
    between = mask[(radius > 1.02) & (radius < end - 0.02)]
    assert 0 < between.min() < 0.3
    assert 0.7 < between.max() < 1


@pytest.mark.parametrize(("width", "height"), [(200, 160), (201, 161)])
def test_there_is_a_mask_and_a_veil_for_luma_and_for_chroma(width: int, height: int) -> None:
    stencil = Stencil(shape(Head(190, 150, 30, 40, 0.2), width=width, height=height), CPU)
    box = stencil.box
    assert box == Box(box.left, box.top, width, height)
    for mask, (veil,), size in zip(
        stencil.masks,
        stencil.veils,
        ((box.height, box.width), (-(-box.height // 2), -(-box.width // 2))),
        strict=True,
    ):
        assert mask is not None
        assert tuple(mask.shape) == size
        assert veil(torch.zeros(1, *size)).shape == (1, *size)


def test_everything_has_no_edge() -> None:
    stencil = Stencil(shape(None), CPU)
    assert stencil.box == (0, 0, WIDTH, HEIGHT)
    assert stencil.masks == (None, None)


def test_outside_the_picture_there_is_nothing() -> None:
    assert Stencil(shape(Head(-500, 80, 30, 40, 0.0)), CPU).box.empty


def test_what_rests_is_made_once_and_what_is_gone_is_not_kept() -> None:
    stencils, here, there = Stencils(CPU), shape(Head(100, 80, 30, 40, 0.0)), shape(None)
    first = stencils(here)
    for _ in range(3):
        stencils.begin()
        assert stencils(here) is first
        stencils(there)
    stencils.begin()
    stencils.begin()
    assert stencils(here) is not first
