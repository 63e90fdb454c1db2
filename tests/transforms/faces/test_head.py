from __future__ import annotations

import math

import pytest

from tests.transforms.faces.fakes import detection
from transforms.faces.face import FaceBox, Outline
from transforms.faces.head import Head, head_at, head_of


def test_a_head_is_more_than_its_face() -> None:
    head = head_of(Outline(100, 200, 80, 100, 0.0, 0.0))
    assert head.x == 100
    assert head.across > 45
    assert head.y + head.down > 250
    assert head.y - head.down < 125


def test_it_leans_with_the_face() -> None:
    upright, leaning = (head_of(Outline(0, 0, 80, 100, roll, 0.0)) for roll in (0.0, math.pi / 2))
    assert (leaning.x, leaning.y) == pytest.approx((-upright.y, 0))


@pytest.mark.parametrize("turn", [-1.0, 1.0])
def test_of_a_turned_face_the_back_of_the_head_is_behind(turn: float) -> None:
    head = head_of(Outline(0, 0, 60, 100, 0.0, turn))
    assert head.x * turn < 0
    assert head.contains(-turn * 80, -20)
    assert head.contains(turn * 30, 0)


def test_a_detected_head_is_about_as_large_as_a_measured_one() -> None:
    assert head_at(detection(50, 50, 80)).across == pytest.approx(head_of(Outline(50, 50, 80, 100, 0, 0)).across, rel=0.05)


def test_what_contains_reaches() -> None:
    head = Head(10, 20, 30, 40, 0.5)
    width, height = head.reach
    assert head.contains(10, 20)
    assert not head.contains(10 + width + 1, 20)
    assert not head.contains(10, 20 + height + 1)
    assert head.grown(5).across == 35


def test_overlap_is_intersection_over_union() -> None:
    box = FaceBox(0, 0, 10, 10)
    assert box.overlap(box) == 1
    assert box.overlap(FaceBox(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box.overlap(FaceBox(10, 0, 20, 10)) == 0
