from __future__ import annotations

import pytest
import torch

from tests.transforms.pictures import copied, flat, noise
from transforms.color import Color
from transforms.overlays.sprite import Drawing, Place, Sprite, lay

CPU = torch.device("cpu")


def white() -> Sprite:
    return Sprite(torch.ones(4, 20, 40), Color(), CPU)


def test_it_is_where_it_was_put_and_nowhere_else() -> None:
    frame = noise(200, 100)
    before = copied(frame)
    lay(frame, [Drawing(white(), Place((60, 30), (40, 0), (0, 20)), 1.0)])
    y, u, v = frame.planes
    assert bool((y[31:49, 61:99] == 235).all())
    assert bool((torch.stack((u, v))[:, 16:24, 31:49] == 128).all())
    outside = torch.ones_like(y, dtype=torch.bool)
    outside[28:52, 58:102] = False
    assert torch.equal(y[outside], before.y[outside])
    assert torch.equal(u[outside[::2, ::2]], before.u[outside[::2, ::2]])


def test_opacity_is_a_mean_and_none_is_nothing() -> None:
    frame = flat(100, 60, 35)
    lay(frame, [Drawing(white(), Place((20, 20), (40, 0), (0, 20)), 0.5)])
    assert abs(int(frame.planes.y[30, 40]) - 135) <= 1
    untouched = flat(100, 60, 35)
    lay(untouched, [Drawing(white(), Place((20, 20), (40, 0), (0, 20)), 0.0)])
    assert not untouched.changed


@pytest.mark.parametrize("size", [(101, 61), (3, 5), (2, 2)])
@pytest.mark.parametrize("corner", [(-30.0, -10.0), (80.5, 50.5), (5000.0, 0.0)])
def test_edges_of_the_picture_cut_it(size: tuple[int, int], corner: tuple[float, float]) -> None:
    frame = noise(*size)
    before = copied(frame)
    lay(frame, [Drawing(white(), Place(corner, (40, 0), (0, 20)), 1.0)])
    assert frame.planes.y.shape == before.y.shape
    if corner[0] > size[0]:
        assert not frame.changed


@pytest.mark.parametrize(
    "place",
    [
        Place((9, 9), (0, 0), (0, 20)),
        Place((float("nan"), 0), (40, 0), (0, 20)),
        Place((0, 0), (1e30, 0), (0, 0)),
    ],
)
def test_a_place_that_is_none_shows_nothing(place: Place) -> None:
    frame = noise(64, 36)
    lay(frame, [Drawing(white(), place, 1.0)])
    assert not frame.changed


def test_far_away_it_is_its_mean_and_not_a_choice_of_its_pixels() -> None:
    checks = torch.ones(4, 256, 256)
    checks[:3] = (torch.arange(256)[None] + torch.arange(256)[:, None]) % 2
    frame = flat(64, 64, 100)
    lay(frame, [Drawing(Sprite(checks, Color(), CPU), Place((10, 10), (32, 0), (0, 32)), 1.0)])
    inner = frame.planes.y[14:38, 14:38].float()
    assert float(inner.std()) < 1
    assert abs(float(inner.mean()) - 125.5) < 2


def test_the_later_lies_over_the_earlier() -> None:
    black = torch.zeros(4, 10, 10)
    black[3] = 1
    frame = flat(60, 60, 100)
    place = Place((10, 10), (30, 0), (0, 30))
    lay(frame, [Drawing(white(), place, 1.0), Drawing(Sprite(black, Color(), CPU), place, 1.0)])
    assert int(frame.planes.y[25, 25]) == 16
