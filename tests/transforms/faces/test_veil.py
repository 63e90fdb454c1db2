from __future__ import annotations

import pytest
import torch

from transforms.faces.veil import Kind, bells, blocks, spread

CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", [blocks, bells])
@pytest.mark.parametrize(("first", "count", "step", "unit"), [(0, 40, 1, 7.3), (13, 1, 2, 50.0), (-5, 33, 2, 2.0)])
def test_one_colour_stays_that_colour(kind: Kind, first: int, count: int, step: int, unit: float) -> None:
    axis = kind(first, count, step, 11.7, unit, CPU)
    picture = torch.full((2, count, count), 77.0)
    assert torch.allclose(spread(picture, axis, axis), picture, atol=1e-3)


def test_blocks_are_averages_between_whole_edges() -> None:
    axis = blocks(0, 12, 1, 2.0, 4.0, CPU)
    row = torch.arange(12.0)[None, None]
    one = blocks(0, 1, 1, 0.5, 1.0, CPU)
    assert spread(row, one, axis).flatten().tolist() == pytest.approx([1.5] * 4 + [5.5] * 4 + [9.5] * 4)


def test_blocks_follow_their_anchor_by_fractions() -> None:
    row = torch.rand(1, 1, 60, generator=torch.Generator().manual_seed(1))
    one = blocks(0, 1, 1, 0.5, 1.0, CPU)
    here, there = (spread(row, one, blocks(0, 60, 1, anchor, 10.0, CPU)) for anchor in (30.0, 30.01))
    assert 0 < (here - there).abs().max() < 0.02


def test_a_blur_has_the_deviation_it_says() -> None:
    dot = torch.zeros(1, 1, 201)
    dot[..., 100] = 1.0
    one = blocks(0, 1, 1, 0.5, 1.0, CPU)
    bell = spread(dot, one, bells(0, 201, 1, 100.0, 12.0, CPU)).flatten()
    at = torch.arange(201) - 100.0
    deviation = ((bell * at.square()).sum() / bell.sum()).sqrt()
    assert float(deviation) == pytest.approx(12, rel=0.1)


def test_luma_and_chroma_agree_on_the_edges() -> None:
    luma, chroma = blocks(0, 40, 1, 20.0, 10.0, CPU), blocks(0, 20, 2, 20.0, 10.0, CPU)
    assert len(luma[0]) == len(chroma[0])
    assert torch.allclose(luma[1][::2] + luma[1][1::2], chroma[1] * 2, atol=1e-5)


def test_a_weight_scales() -> None:
    axis = blocks(0, 8, 1, 4.0, 3.0, CPU)
    picture = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(spread(picture, axis, axis, 0.25) * 4, spread(picture, axis, axis))
