from __future__ import annotations

import pytest
import torch

from tests.transforms.faces.shapes import face_at
from tests.transforms.pictures import copied, flat, noise, same, stripes
from transforms.faces.mesh import CANONICAL, TRIANGLES
from transforms.faces.raster import around
from transforms.faces.regions import CHIN, FACE_OVAL
from transforms.faces.warp import displace, displacement, reach, step_of, warp
from transforms.frame import Box, Frame

SIZES = [(320, 240, 8.0), (640, 480, 16.0), (201, 181, 8.0)]


def lowered_chin(points: torch.Tensor, by: float) -> torch.Tensor:
    target = points.clone()
    target[:, 1] += by * ((-CANONICAL[:, 1] - 4) / 5).clamp(0, 1)
    return target


@pytest.mark.parametrize(("width", "height", "scale"), SIZES)
def test_only_what_moves_changes(width: int, height: int, scale: float) -> None:
    points = face_at(width / 2, height / 2, scale)
    target = lowered_chin(points, scale)
    margin = 2 * scale
    frame = noise(width, height)
    before = copied(frame)
    warp(frame, points, target, TRIANGLES, around(target, margin + 8, (width, height)), margin)
    changed = (frame.planes.y != before.y).nonzero()
    assert len(changed) > 500
    low, high = changed.amin(0), changed.amax(0)
    # The points below the mouth, and the margin.
    assert low[0] > points[:, 1].min() + 8 * scale
    assert high[0] <= target[CHIN, 1] + margin + 1
    assert low[1] >= points[:, 0].min() - margin - 1
    assert high[1] <= points[:, 0].max() + margin + 1


def test_a_spot_goes_where_its_point_goes() -> None:
    width, height = 640, 480
    points = face_at(320, 240, 16.0)
    target = lowered_chin(points, 12)
    frame = flat(width, height, 20)
    x, y = (round(float(value)) for value in points[CHIN, :2])
    frame.writable().y[y - 3 : y + 3, x - 3 : x + 3] = 220
    warp(frame, points, target, TRIANGLES, around(target, 48, (width, height)), 40)
    spot = (frame.planes.y.float() - 20).clamp(min=0)
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    assert float((spot.sum(1) * rows).sum() / spot.sum()) == pytest.approx(y + 12, abs=1)
    assert float((spot.sum(0) * columns).sum() / spot.sum()) == pytest.approx(x, abs=0.5)


def test_colours_move_with_the_luma() -> None:
    points = face_at(320, 240, 16.0)
    target = lowered_chin(points, 12)
    frame = stripes(640, 480)
    x = torch.arange(320)[None]
    frame.writable().u.copy_(((40 + 2 * x) % 200).expand(240, 320).to(torch.uint8))
    before = copied(frame)
    box = around(target, 48, (640, 480))
    field = displacement(points, target, TRIANGLES, box, 40)
    field[0], field[1] = 6.0, 0.0
    displace(frame, field, box)
    inner = (slice(box.top // 2 + 4, box.bottom // 2 - 4), slice(box.left // 2 + 4, box.left // 2 + 40))
    moved = (slice(inner[0].start, inner[0].stop), slice(inner[1].start + 3, inner[1].stop + 3))
    assert torch.equal(frame.planes.u[inner], before.u[moved])


@pytest.mark.parametrize("box", [Box(0, 0, 201, 181), Box(10, 20, 160, 180), Box(0, 0, 2, 2)])
def test_no_movement_changes_no_bit(box: Box) -> None:
    frame = noise(201, 181)
    before = copied(frame)
    step = step_of(box)
    displace(frame, torch.zeros((2, -(-box.height // step) + 2, -(-box.width // step) + 2)), box)
    assert same(frame.planes, before)


def test_a_face_that_does_not_move_costs_nothing() -> None:
    frame = noise(320, 240)
    points = face_at(160, 120, 8.0)
    warp(frame, points, points.clone(), TRIANGLES, frame.box, 10)
    assert not frame.changed


def test_the_decoders_planes_are_left_alone() -> None:
    frame = noise(320, 240)
    theirs, before = frame.planes, copied(frame)
    points = face_at(160, 120, 8.0)
    warp(frame, points, lowered_chin(points, 8), TRIANGLES, frame.box, 10)
    assert same(theirs, before)
    assert not same(frame.planes, before)


@pytest.mark.parametrize(("x", "y"), [(0, 120), (319, 120), (160, 0), (160, 239), (-500, 0)])
def test_at_the_edge_of_the_picture(x: float, y: float) -> None:
    frame = noise(320, 240)
    points = face_at(x, y, 8.0, roll=0.5, yaw=0.9)
    target = lowered_chin(points, 8)
    warp(frame, points, target, TRIANGLES, around(target, 30, (320, 240)), 20)
    assert (frame.width, frame.height) == (320, 240)


def test_the_skirt_of_a_turned_face_stays_behind_it() -> None:
    points = face_at(320, 240, 16.0, yaw=1.2)
    target = points.clone()
    target[:, 0] += 5
    target[list(FACE_OVAL)] = points[list(FACE_OVAL)]
    box = around(target, 40, (640, 480))
    frame = Frame(stripes(640, 480).planes)
    field = displacement(points, target, TRIANGLES, box, 40)
    assert float(field[0].min()) == pytest.approx(-5, abs=0.01)
    warp(frame, points, target, TRIANGLES, box, 40)
    assert frame.changed


def test_the_reach_is_that_of_what_moves() -> None:
    points = face_at(320, 240, 16.0)
    target = points.clone()
    target[13, 1] -= 6
    small = reach(points, target, TRIANGLES, 40, (640, 480))
    assert small.width < 60
    assert small.left < points[13, 0] < small.right
    whole = reach(points, lowered_chin(points, 12), TRIANGLES, 40, (640, 480))
    assert whole.bottom >= float(points[CHIN, 1]) + 12 + 40
    assert reach(points, points, TRIANGLES, 40, (640, 480)).empty
    assert reach(points + 5000, target + 5000, TRIANGLES, 40, (640, 480)).empty


def test_the_reach_is_wide_enough() -> None:
    points = face_at(320, 240, 16.0, yaw=0.4)
    target = lowered_chin(points, 12)
    one, other = noise(640, 480), noise(640, 480)
    warp(one, points, target, TRIANGLES, one.box, 40)
    warp(other, points, target, TRIANGLES, reach(points, target, TRIANGLES, 40, (640, 480)), 40)
    apart = (one.planes.y.int() - other.planes.y.int()).abs()
    # What moves by less than can be seen is left out; of noise, that is a few codes.
    assert int(apart.max()) <= 12
