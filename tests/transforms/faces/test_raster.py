from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.transforms.faces.shapes import face_at
from transforms.faces.mesh import TRIANGLES
from transforms.faces.raster import around, centres, coverage, interpolated, polygon, raster
from transforms.frame import Box

SQUARE = torch.tensor([[10.0, 10.0], [30.0, 10.0], [30.0, 20.0], [10.0, 20.0]])
HALVES = torch.tensor([[0, 1, 2], [0, 2, 3]])
BOX = Box(0, 0, 40, 30)


def places(box: Box) -> Tensor:
    y, x = torch.meshgrid(torch.arange(box.top, box.bottom) + 0.5, torch.arange(box.left, box.right) + 0.5, indexing="ij")
    return torch.stack((x, y), -1)


def test_every_pixel_of_a_square_is_in_one_of_its_triangles() -> None:
    index, _ = raster(SQUARE, HALVES, BOX)
    inside = torch.zeros(30, 40, dtype=torch.bool)
    inside[10:20, 10:30] = True
    assert torch.equal(index >= 0, inside)
    assert set(index.flatten().tolist()) == {-1, 0, 1}


def test_barycentric_coordinates_lead_back_to_the_pixel() -> None:
    points = face_at(100, 100, 9.0, roll=0.3, yaw=0.4)
    box = around(points, 5, (200, 200))
    index, place = raster(points, TRIANGLES, box)
    covered = index >= 0
    found = (points[TRIANGLES[index.clamp(min=0)], :2] * place[..., None]).sum(2)
    assert float((found - places(box))[covered].abs().max()) < 1e-2
    assert float(place[covered].min()) > -1e-3


def test_the_nearest_triangle_shows() -> None:
    points = torch.cat((torch.cat((SQUARE, SQUARE)), torch.tensor([5.0] * 4 + [-5.0] * 4)[:, None]), 1)
    behind_first = torch.cat((HALVES, HALVES + 4))
    assert int(coverage(points, behind_first, BOX)[15, 12]) >= 2
    assert int(coverage(points, behind_first.flip(0), BOX)[15, 12]) < 2


def test_a_step_looks_at_middles() -> None:
    fine, coarse = coverage(SQUARE, HALVES, BOX), coverage(SQUARE, HALVES, BOX, 5)
    assert coarse.shape == (6, 8)
    assert torch.equal(coarse >= 0, fine[2::5, 2::5] >= 0)


@pytest.mark.parametrize("points", [SQUARE * math.nan, SQUARE * math.inf, SQUARE * 0, SQUARE - 1000, SQUARE * 1e30])
def test_points_that_are_nowhere_draw_nothing_or_all_and_harm_nobody(points: Tensor) -> None:
    index, place = raster(points, HALVES, BOX)
    assert index.shape == (30, 40)
    assert place.shape == (30, 40, 3)


def test_an_empty_box() -> None:
    index, place = raster(SQUARE, HALVES, Box(4, 4, 4, 8))
    assert index.shape == (4, 0)
    assert place.shape == (4, 0, 3)
    assert polygon(SQUARE, Box(4, 4, 4, 8), 3).shape == (4, 0)


def test_around_is_on_the_chroma_grid_and_in_the_picture() -> None:
    assert around(SQUARE, 3, (640, 480)) == Box(6, 6, 34, 24)
    assert around(SQUARE, 100, (25, 15)) == Box(0, 0, 25, 15)
    assert around(SQUARE + 1000, 3, (640, 480)).empty
    assert around(SQUARE * math.nan, 3, (640, 480)).empty


def test_a_polygon_is_anti_aliased() -> None:
    mask = polygon(SQUARE + torch.tensor([0.25, 0.5]), BOX)
    assert float(mask.sum()) == pytest.approx(200, abs=0.1)
    assert mask[15, 10].item() == pytest.approx(0.75, abs=0.01)
    assert mask[10, 15].item() == pytest.approx(0.5, abs=0.01)
    assert mask[15, 15] == 1
    assert mask[9, 15] == 0


def test_a_circle_has_its_area_and_either_winding_is_the_same() -> None:
    angle = torch.arange(64) / 64 * 2 * torch.pi
    circle = torch.stack((20 + 9 * angle.cos(), 15 + 9 * angle.sin()), 1)
    mask = polygon(circle, BOX)
    assert float(mask.sum()) == pytest.approx(math.pi * 81, rel=0.01)
    assert torch.allclose(mask, polygon(circle.flip(0), BOX), atol=1e-3)


@pytest.mark.parametrize("feather", [2.0, 6.0, 20.0])
def test_a_feathered_edge_fades_over_its_width_and_is_zero_beyond(feather: float) -> None:
    box = Box(0, 0, 120, 90)
    square = torch.tensor([[40.0, 30.0], [80.0, 30.0], [80.0, 60.0], [40.0, 60.0]])
    row = polygon(square, box, feather)[45]
    assert row[40].item() == pytest.approx(0.5, abs=0.3)
    assert bool((row[: 40 - math.ceil(feather / 2) - 3] == 0).all())
    assert bool((row[40 + math.ceil(feather / 2) + 3 : 60] > 0.98).all())
    assert bool((row[20:60].diff() >= -1e-5).all())


def test_a_polygon_that_the_box_cuts_is_the_same_inside_it() -> None:
    whole = polygon(SQUARE, Box(0, 0, 40, 30), 6)
    part = polygon(SQUARE, Box(20, 12, 40, 30), 6)
    assert torch.allclose(whole[12:, 20:], part, atol=1e-5)


def test_between_points_values_are_linear_and_beyond_them_nothing() -> None:
    points = torch.tensor([[2.0, 2.0], [14.0, 2.0], [14.0, 14.0], [2.0, 14.0]])
    values = torch.stack((points[:, 0] * 0.5 + points[:, 1], torch.ones(4)), 1)
    x, y = centres(Box(0, 0, 16, 16), 2, points.device)
    found = interpolated(points, values, torch.tensor([[0, 1, 2], [2, 0, 3]]), Box(0, 0, 16, 16), 2)
    inside = (x > 2) & (x < 14) & (y > 2) & (y < 14)
    assert torch.allclose(found[0], (x * 0.5 + y) * inside, atol=1e-4)
    assert torch.equal(found[1].round(), inside.float())
