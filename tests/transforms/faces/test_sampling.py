from __future__ import annotations

import math

import pytest
import torch

from tests.transforms.pictures import flat, noise
from transforms.color import Color, rgb_to_yuv
from transforms.faces.sampling import Placement, crop, shrink
from transforms.frame import Box, Frame, Planes


def ramp(width: int = 320, height: int = 240) -> Frame:
    """Red grows to the right, green downwards."""
    x, y = torch.arange(width) / width, torch.arange(height) / height
    rgb = torch.stack((x.expand(height, width), y[:, None].expand(height, width), torch.full((height, width), 0.5)))
    return Frame(Planes(*rgb_to_yuv(rgb, Color())))


def test_shrinking_averages_and_keeps_colour() -> None:
    frame = ramp()
    small = shrink(frame, frame.box, 32, 24)
    assert small.shape == (3, 24, 32)
    assert small[0, 12].tolist() == pytest.approx([(i + 0.5) / 32 for i in range(32)], abs=0.04)
    assert small[1, :, 16].tolist() == pytest.approx([(i + 0.5) / 24 for i in range(24)], abs=0.04)


def test_shrinking_a_box_takes_only_the_box() -> None:
    small = shrink(ramp(), Box(160, 120, 320, 240), 8, 8)
    assert small[0].min() > 0.45
    assert small[1].min() > 0.45


@pytest.mark.parametrize("side", [96.0, 240.0, 640.0])
@pytest.mark.parametrize("roll", [0.0, 0.7, -2.0, math.pi])
def test_a_crop_shows_what_its_placement_says(side: float, roll: float) -> None:
    frame = ramp(1280, 960)
    placement = Placement(640, 480, side, roll)
    picture = crop(frame, placement, 64)
    points = torch.tensor([[10.5, 20.5, 0.0], [50.5, 33.5, 0.0], [32.5, 60.5, 0.0]])
    for (x, y, _), (column, row, _) in zip(placement.to_frame(points, 64).tolist(), points.tolist(), strict=True):
        red, green, _ = picture[:, int(row), int(column)].tolist()
        assert (red * 1280, green * 960) == pytest.approx((x, y), abs=16)


def test_points_are_placed_turned_and_scaled() -> None:
    quarter = Placement(100, 50, 20, math.pi / 2)
    there = quarter.to_frame(torch.tensor([[5.0, 5.0, 1.0], [10.0, 5.0, -1.0]]), 10)
    assert there.tolist()[0] == pytest.approx([100, 50, 2], abs=1e-4)
    assert there.tolist()[1] == pytest.approx([100, 60, -2], abs=1e-4)


@pytest.mark.parametrize(
    "placement",
    [Placement(-500, 30, 60, 0.3), Placement(5000, 5000, 10, 0.0), Placement(10, 10, 900, 1.0), Placement(64, 48, 1.0, 0.0)],
)
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (128, 96), (181, 319)])
def test_outside_and_at_the_edge_there_is_still_a_picture(placement: Placement, size: tuple[int, int]) -> None:
    picture = crop(noise(*size), placement, 32)
    assert picture.shape == (3, 32, 32)
    assert torch.isfinite(picture).all()


def test_outside_repeats_the_edge() -> None:
    assert crop(flat(64, 64, 200), Placement(0, 0, 128, 0.0), 16).std() < 1e-3
