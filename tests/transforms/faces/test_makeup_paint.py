from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.transforms.pictures import copied, noise, same
from transforms.faces.makeup_paint import Area, Paint, mean, pooled, read, stain, tint, write
from transforms.frame import Box


def skin(size: int = 32, seed: int = 0) -> Area:
    generator = torch.Generator().manual_seed(seed)
    y = 100 + 15 * torch.randn((size, size), generator=generator)
    return Area(y, torch.full((2, size // 2, size // 2), 5.0))


def paint(luma: float = 70.0, shine: float = 0.0) -> Paint:
    return Paint(luma, -10.0, 50.0, 1.0, shine)


def correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack((one.flatten(), other.flatten())))[0, 1])


@pytest.mark.parametrize("box", [Box(4, 6, 20, 22), Box(4, 6, 21, 17)])
def test_what_is_read_and_written_is_the_same_to_the_bit(box: Box) -> None:
    frame = noise(21, 17)
    before = copied(frame)
    write(frame, box, read(frame, box))
    assert same(frame.planes, before)


def test_where_the_mask_is_nothing_nothing_changes() -> None:
    area, mask = skin(), torch.zeros(32, 32)
    mask[8:16, 8:16] = 1.0
    for shine in (-1.0, 0.0, 1.0):
        painted = tint(area, mask, paint(shine=shine), mean(area.y, mask))
        assert torch.equal(painted.y[mask == 0], area.y[mask == 0])
        assert torch.equal(painted.uv[:, pooled(mask) == 0], area.uv[:, pooled(mask) == 0])


@pytest.mark.parametrize("luma", [30.0, 70.0, 160.0])
def test_the_mean_is_the_pigments_and_the_texture_the_skins(luma: float) -> None:
    area, mask = skin(), torch.ones(32, 32)
    painted = tint(area, mask, paint(luma), mean(area.y, mask))
    assert float(painted.y.mean()) == pytest.approx(luma, rel=0.03)
    assert painted.uv.mean((1, 2)).tolist() == pytest.approx([-10.0, 50.0], rel=0.03)
    assert correlation(painted.y, area.y) > 0.99
    assert float(painted.y.std()) == pytest.approx(float(area.y.std()) * min(luma / 100, (luma / 100) ** 0.5), rel=0.2)


def test_matte_has_less_contrast_than_satin_and_gloss_more_at_the_same_mean() -> None:
    area, mask = skin(), torch.ones(32, 32)
    finishes = [tint(area, mask, paint(shine=shine), mean(area.y, mask)).y for shine in (-1.0, 0.0, 1.0)]
    matte, satin, gloss = (float(y.quantile(0.98)) for y in finishes)
    assert matte < satin - 3
    assert gloss > satin + 8
    for y in finishes:
        assert float(y.mean()) == pytest.approx(70, rel=0.08)


def test_a_stain_changes_the_hue_and_hardly_the_luma() -> None:
    area = Area(pooled(skin().y), skin().uv)
    painted = stain(area, torch.ones(16, 16), paint(60.0), area.y.mean(), 0.2)
    assert float(painted.y.mean()) == pytest.approx(92, abs=1)
    assert painted.uv.mean((1, 2)).tolist() == pytest.approx([-10.0, 50.0], rel=0.05)


def test_an_area_that_is_black_gives_numbers() -> None:
    area, mask = Area(torch.zeros(8, 8), torch.zeros(2, 4, 4)), torch.ones(8, 8)
    for shine in (-1.0, 0.0, 1.0):
        painted = tint(area, mask, paint(shine=shine), mean(area.y, mask))
        assert torch.isfinite(painted.y).all()
        assert torch.isfinite(painted.uv).all()


def test_less_light_makes_a_pigment_darker_and_paler() -> None:
    dim = paint().lit(0.5)
    assert (dim.luma, dim.u, dim.v, dim.opacity) == (35.0, -5.0, 25.0, 1.0)


def test_means_over_two_by_two_of_an_odd_area() -> None:
    odd = torch.tensor([[1.0, 3.0, 5.0], [5.0, 7.0, 9.0], [2.0, 4.0, 8.0]])
    assert pooled(odd).tolist() == [[4.0, 7.0], [3.0, 8.0]]
