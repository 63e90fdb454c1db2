from __future__ import annotations

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from transforms.people.resize import double, enlarge, halve, reduce


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (7, 4), (30, 41)])
def test_double_is_what_interpolate_does(size: tuple[int, int]) -> None:
    x = torch.rand(3, *size)
    expected = interpolate(x[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(double(x), expected)


@pytest.mark.parametrize("size", [(2, 2), (8, 6), (9, 7)])
def test_halve_sums_four_pixels(size: tuple[int, int]) -> None:
    x = torch.randint(0, 256, (2, *size), dtype=torch.int16)
    assert torch.equal(halve(x).float(), avg_pool2d(x.float(), 2) * 4)


@pytest.mark.parametrize("resize", [reduce, enlarge])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (45, 80), (144, 256), (181, 333), (720, 1280)])
def test_any_size_becomes_any_other_and_keeps_a_plain_colour(resize: type, size: tuple[int, int]) -> None:
    for other in ((1, 1), (72, 128), (144, 256), (301, 17)):
        out = resize(torch.full((2, *size), 7.0), other)
        assert out.shape == (2, *other)
        torch.testing.assert_close(out, torch.full((2, *other), 7.0))


def test_enlarging_moves_nothing() -> None:
    x = torch.zeros(1, 72, 128)
    x[:, 36:, :] = 1
    out = enlarge(x, (360, 640))
    assert abs(float(out.mean()) - 0.5) < 1e-3
    assert float(out[0, 180 - 12].max()) == 0
    assert float(out[0, 180 + 12].min()) == 1


def test_reducing_averages() -> None:
    noise = torch.rand(1, 720, 1280, generator=torch.Generator().manual_seed(1))
    small = reduce(noise, (144, 256))
    assert abs(float(small.mean()) - 0.5) < 1e-2
    assert float(small.std()) < float(noise.std()) / 3
