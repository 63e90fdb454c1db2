from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.footage import clip, frames
from transforms.models.store import Store
from transforms.styles.painter import STYLES, Painter, canvas

CPU = torch.device("cpu")


def only(style: int) -> list[float]:
    return [float(style == index) for index in range(STYLES)]


@pytest.fixture(scope="module")
def picture() -> Tensor:
    """(3, 128, 128)."""
    return F.interpolate(next(frames(clip("astronaut"))).rgb()[None], (128, 128), mode="area")[0]


@pytest.fixture
def painter(store: Store) -> Painter:
    return Painter(store, CPU)


def test_every_style_is_another_painting_of_the_same_picture(painter: Painter, picture: Tensor) -> None:
    paintings = []
    for style in range(STYLES):
        painter.forget()
        paintings.append(painter(picture, only(style), 0.0))
    assert all(painting.shape == picture.shape and 0 <= painting.min() <= painting.max() <= 1 for painting in paintings)
    apart = torch.stack([(a - b).abs().mean() for i, a in enumerate(paintings) for b in paintings[:i]])
    assert apart.min() > 0.02
    # What is bright is mostly bright in the painting too.
    grey = picture.mean(0).flatten()
    alike = [torch.corrcoef(torch.stack((grey, painting.mean(0).flatten())))[0, 1] for painting in paintings]
    assert sum(float(value) > 0.4 for value in alike) >= 20


def test_a_mixture_lies_between(painter: Painter, picture: Tensor) -> None:
    def paint(mixture: list[float]) -> Tensor:
        painter.forget()
        return painter(picture, mixture, 0.0).mean((1, 2))

    one, other = paint(only(1)), paint(only(16))
    half = paint([(a + b) / 2 for a, b in zip(only(1), only(16), strict=True)])
    assert (half - one).norm() < (other - one).norm()
    assert (half - other).norm() < (other - one).norm()


def test_statistics_of_the_last_pictures_steady_the_next(painter: Painter, picture: Tensor) -> None:
    before = painter(picture, only(12), 0.0)
    dark = picture * 0.3
    at_once, steady = Painter.__call__, painter(dark, only(12), 0.03)
    painter.forget()
    fresh = at_once(painter, dark, only(12), 0.0)
    assert (steady - fresh).abs().mean() > 0.02, "the statistics were taken from this picture alone"
    for _ in range(100):
        later = painter(dark, only(12), 0.03)
    torch.testing.assert_close(later, fresh, atol=2e-3, rtol=0)
    painter.forget()
    torch.testing.assert_close(painter(picture, only(12), 0.0), before)


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (17, 2), (2, 4000), (320, 180), (1920, 1080), (1080, 1920)])
@pytest.mark.parametrize("lines", [180, 512])
def test_a_canvas_can_be_painted_on(size: tuple[int, int], lines: int) -> None:
    width, height = canvas(*size, lines)
    assert width % 4 == height % 4 == 0
    assert min(width, height) >= 32
    assert width * height <= 1.05 * max(lines * lines * 16 / 9, 32 * 4 * lines)
    assert width <= max(32, size[0] + 2)
    assert height <= max(32, size[1] + 2)
