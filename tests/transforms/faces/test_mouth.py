from __future__ import annotations

import pytest
import torch

from tests.transforms.faces.shapes import face_at
from tests.transforms.faces.test_openings import LOWER, STILL, UPPER, face
from tests.transforms.pictures import copied, flat, same
from transforms.faces.mesh import VERTICES
from transforms.faces.mouth import Light, light_of, paint_inside, parted
from transforms.faces.openings import Opened, opened
from transforms.faces.pose import pose_of

LIGHT = Light(torch.tensor([0.7, 0.4, 0.4]), torch.tensor(0.9))


def opening(by: float) -> tuple[torch.Tensor, Opened]:
    landmarks = face()
    landmarks[LOWER] = landmarks[UPPER]
    moved = landmarks[:VERTICES].clone()
    moved[LOWER, 1] += by
    return landmarks, opened(landmarks, moved, STILL)


def test_teeth_are_bright_the_dark_is_dark_and_the_tongue_is_red() -> None:
    landmarks, movement = opening(24)
    frame = flat(400, 400)
    paint_inside(frame, movement, pose_of(landmarks), LIGHT)
    x = int(landmarks[13, 0])
    top, bottom = int(landmarks[13, 1]), int(landmarks[13, 1]) + 24
    column = frame.planes.y[top:bottom, x + 4]
    assert column[2:4].max() > 140
    assert column[7:11].min() < 60
    tongue = frame.rgb()[:, bottom - 6, x + 4]
    assert tongue[0] > 1.3 * tongue[1]


def test_outside_of_the_gap_nothing_changes() -> None:
    landmarks, movement = opening(24)
    frame = flat(400, 400)
    before = copied(frame)
    paint_inside(frame, movement, pose_of(landmarks), LIGHT)
    changed = (frame.planes.y != before.y).nonzero()
    low, high = changed.amin(0), changed.amax(0)
    gap_low, gap_high = movement.gap.amin(0).flip(0), movement.gap.amax(0).flip(0)
    assert bool((low >= gap_low - 4).all())
    assert bool((high <= gap_high + 4).all())


@pytest.mark.parametrize("by", [-5.0, 0.0, 0.9])
def test_lips_that_hardly_part_are_left_alone(by: float) -> None:
    landmarks, movement = opening(by)
    frame = flat(400, 400)
    before = copied(frame)
    paint_inside(frame, movement, pose_of(landmarks), LIGHT)
    assert not parted(movement)
    assert same(frame.planes, before)


def test_the_gap_opens_gradually() -> None:
    changes = []
    for by in (1.0, 1.5, 2.0, 3.0, 4.0):
        landmarks, movement = opening(by)
        frame = flat(400, 400)
        paint_inside(frame, movement, pose_of(landmarks), LIGHT)
        changes.append(float((frame.planes.y.float() - 128).abs().sum()))
    assert changes == sorted(changes)
    assert changes[0] == 0 < changes[1] < 0.5 * changes[3]


def test_light_is_that_of_the_lips_and_none_outside_of_the_picture() -> None:
    frame = flat(400, 400, 100)
    found = light_of(frame, face())
    assert found is not None
    grey = (100 - 16) / 219
    assert found.lips.tolist() == pytest.approx([grey] * 3, abs=0.01)
    assert 0.05 <= float(found.white) <= 0.95
    assert light_of(frame, face_at(-900, 200)) is None


def test_light_eases() -> None:
    other = Light(torch.tensor([0.1, 0.0, 0.0]), torch.tensor(0.5))
    assert LIGHT.eased(other, 0.5).lips.tolist() == pytest.approx([0.4, 0.2, 0.2])
