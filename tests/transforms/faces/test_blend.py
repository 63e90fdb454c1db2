from __future__ import annotations

import pytest
import torch

from tests.transforms.pictures import copied, noise, same
from transforms.faces.blend import color_match, mix, paste, statistics, tint
from transforms.faces.lab import delta_e, rgb_to_lab
from transforms.frame import Box

ROSE = torch.tensor([0.75, 0.2, 0.35])


def colours(seed: int, spread: float, middle: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.rand((3, 3), generator=generator) * spread
    return mixing @ torch.randn((3, 4000), generator=generator) + middle


@pytest.mark.parametrize("box", [Box(10, 20, 60, 80), Box(0, 0, 101, 91), Box(90, 80, 101, 91)])
def test_paste_changes_nothing_where_the_mask_is_zero(box: Box) -> None:
    frame = noise(101, 91)
    before = copied(frame)
    paste(frame, torch.rand((3, box.height, box.width)), torch.zeros((box.height, box.width)), box)
    assert same(frame.planes, before)


def test_paste_puts_the_colour_where_the_mask_is_one_and_leaves_the_rest() -> None:
    frame = noise(100, 90)
    before = copied(frame)
    mask = torch.zeros((60, 50))
    mask[10:50, 10:40] = 1
    paste(frame, ROSE[:, None, None].expand(3, 60, 50), mask, Box(10, 20, 60, 80))
    inside = frame.rgb(Box(24, 34, 46, 66))
    assert float((inside - ROSE[:, None, None]).abs().max()) < 0.02
    assert torch.equal(frame.planes.y[:30], before.y[:30])
    assert torch.equal(frame.planes.u[:, :10], before.u[:, :10])
    assert torch.equal(frame.planes.y[30:70, 50:], before.y[30:70, 50:])


def test_mix_is_exact_at_both_ends() -> None:
    old, new = torch.arange(256, dtype=torch.uint8), torch.arange(255, -1, -1, dtype=torch.uint8)
    assert torch.equal(mix(old, new, torch.zeros(256)), old)
    assert torch.equal(mix(old, new, torch.ones(256)), new)


def test_tint_takes_the_colour_and_keeps_the_shading() -> None:
    skin = torch.tensor([0.7, 0.5, 0.45])[:, None, None] * torch.linspace(0.8, 1.2, 40)[None, None]
    lightness = rgb_to_lab(skin)[0]
    painted = tint(skin, ROSE, torch.ones((1, 40)), lightness.mean())
    lab = rgb_to_lab(painted)
    assert float(delta_e(lab.mean((1, 2)), rgb_to_lab(ROSE))) < 3
    assert torch.allclose((lab[0] - lab[0].mean()), lightness - lightness.mean(), atol=1.5)
    assert torch.equal(tint(skin, ROSE, torch.zeros((1, 40)), 50.0), skin)


def test_color_match_gives_the_wanted_mean_and_covariance() -> None:
    source, target = statistics(colours(1, 0.3, 0.4)), statistics(colours(2, 0.2, 0.6))
    matrix, offset = color_match(source, target)
    mean, covariance = statistics(matrix @ colours(1, 0.3, 0.4) + offset[:, None])
    assert torch.allclose(mean, target[0], atol=1e-4)
    assert torch.allclose(covariance, target[1], atol=3e-3)


def test_color_match_of_like_with_like_changes_nothing_and_of_one_colour_stays_finite() -> None:
    same_statistics = statistics(colours(3, 0.3, 0.5))
    matrix, offset = color_match(same_statistics, same_statistics)
    assert torch.allclose(matrix, torch.eye(3), atol=1e-4)
    assert torch.allclose(offset, torch.zeros(3), atol=1e-4)
    plain = statistics(torch.full((3, 50), 0.5))
    matrix, _ = color_match(plain, statistics(colours(4, 0.3, 0.5)))
    assert bool(torch.isfinite(matrix).all())


def test_statistics_are_weighted() -> None:
    picture = torch.cat((torch.zeros((3, 10)), torch.ones((3, 10))), 1)
    weights = torch.cat((torch.zeros(10), torch.ones(10)))
    assert statistics(picture, weights)[0].tolist() == pytest.approx([1, 1, 1])
