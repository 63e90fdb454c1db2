from __future__ import annotations

import pytest
import torch

from tests.transforms.faces.shapes import face_at
from transforms.faces.mesh import VERTICES
from transforms.faces.openings import COLUMNS, opened
from transforms.faces.raster import around, raster
from transforms.faces.regions import LEFT_EYE, LIPS_INNER, RIGHT_EYE

STILL = torch.zeros((2, 3))
UPPER, LOWER = list(LIPS_INNER[:10:-1]), list(LIPS_INNER[1:10])


def face(roll: float = 0.0) -> torch.Tensor:
    """(478, 3) with irises in the middle of the eyes."""
    points = face_at(200, 200, 10.0, roll)
    irises = [points[list(eye)].mean(0, keepdim=True).expand(5, 3) for eye in (RIGHT_EYE, LEFT_EYE)]
    return torch.cat((points, *irises))


def test_it_covers_what_the_plain_mesh_covers_once() -> None:
    landmarks = face()
    movement = opened(landmarks, landmarks[:VERTICES], STILL)
    assert torch.equal(movement.source[:VERTICES], movement.target[:VERTICES])
    assert float((movement.source - movement.target)[:, :2].abs().max()) < 1e-4
    corners = movement.target[movement.triangles][:, :, :2]
    area = torch.linalg.det(torch.cat((corners, torch.ones_like(corners[:, :, :1])), 2)).abs() / 2
    index, _ = raster(movement.target, movement.triangles, around(landmarks, 4, (400, 400)))
    assert float((index >= 0).sum()) == pytest.approx(float(area.sum()), rel=0.06)


@pytest.mark.parametrize("roll", [0.0, 0.8, 3.0])
def test_lips_that_part_open_a_gap_and_teeth_stay_with_their_jaw(roll: float) -> None:
    landmarks = face(roll)
    moved = landmarks[:VERTICES].clone()
    down = torch.nn.functional.normalize(moved[152, :2] - moved[168, :2], dim=0)
    moved[LOWER, :2] += 20 * down
    movement = opened(landmarks, moved, STILL)
    assert movement.opening == pytest.approx(20, abs=0.1)
    seam = slice(VERTICES, VERTICES + COLUMNS)
    assert torch.allclose(movement.target[seam, :2], movement.source[seam, :2])
    below = slice(VERTICES + COLUMNS, VERTICES + 2 * COLUMNS)
    assert torch.allclose(movement.target[below, :2] - movement.source[below, :2], (20 * down).expand(COLUMNS, 2), atol=1e-3)


def test_lips_that_close_over_each_other_leave_no_gap() -> None:
    landmarks = face()
    moved = landmarks[:VERTICES].clone()
    moved[LOWER, 1] -= 4
    assert opened(landmarks, moved, STILL).opening == pytest.approx(-4, abs=0.1)


def test_closed_lips_hide_the_teeth_and_open_ones_show_them() -> None:
    landmarks = face()
    landmarks[LOWER] = landmarks[UPPER]
    assert opened(landmarks, landmarks[:VERTICES], STILL).hidden == pytest.approx(1, abs=0.02)
    landmarks[LOWER, 1] += 15
    assert opened(landmarks, landmarks[:VERTICES], STILL).hidden == 0


def test_an_iris_keeps_its_shape_while_the_lids_open_and_moves_with_the_gaze() -> None:
    landmarks = face()
    moved = landmarks[:VERTICES].clone()
    moved[list(LEFT_EYE[9:]), 1] -= 4
    start = VERTICES + 2 * COLUMNS
    look = torch.tensor([[3.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    movement = opened(landmarks, moved, look)
    way = (movement.target - movement.source)[start : start + len(LEFT_EYE) + 1]
    assert float((way - way[0])[:, :2].abs().max()) < 1e-3
    assert float(way[0, 0]) == pytest.approx(3.0, abs=1e-3)


def test_what_is_inside_is_hidden_by_lids_that_close_over_it() -> None:
    landmarks = face()
    moved = landmarks[:VERTICES].clone()
    moved[list(LEFT_EYE[:8:-1]), 1] = moved[list(LEFT_EYE[1:8]), 1] + 1
    movement = opened(landmarks, moved, STILL)
    index, _ = raster(movement.target, movement.triangles, around(landmarks, 4, (400, 400)))
    inner = torch.nonzero((movement.triangles >= VERTICES + 2 * COLUMNS).any(1)).flatten()
    left = torch.isin(index, inner)
    middle = int(landmarks[168, 0])
    box = around(landmarks, 4, (400, 400))
    seen_left, seen_right = left[:, middle - box.left :].sum(), left[:, : middle - box.left].sum()
    assert seen_right > 60
    assert seen_left < 0.25 * seen_right
