from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from transforms.faces.veil import Kind, Veil, bells, blocks

CPU = torch.device("cpu")
ONE = blocks(0, 1, 1, 0.5, 1.0)


def along(row: Tensor, axis: NDArray[np.float64]) -> Tensor:
    return Veil(ONE, axis, CPU)(row[None, None]).flatten()


@pytest.mark.parametrize("kind", [blocks, bells])
@pytest.mark.parametrize(("first", "count", "step", "unit"), [(0, 40, 1, 7.3), (13, 1, 2, 50.0), (-5, 33, 2, 2.0)])
def test_one_colour_stays_that_colour(kind: Kind, first: int, count: int, step: int, unit: float) -> None:
    axis = kind(first, count, step, 11.7, unit)
    picture = torch.full((2, count, count), 77.0)
    assert axis.sum(0).tolist() == pytest.approx([1.0] * count)
    assert torch.allclose(Veil(axis, axis, CPU)(picture), picture, atol=1e-3)


def test_blocks_are_averages_between_whole_edges() -> None:
    shown = along(torch.arange(12.0), blocks(0, 12, 1, 2.0, 4.0))
    assert shown.tolist() == pytest.approx([1.5] * 4 + [5.5] * 4 + [9.5] * 4)


def test_blocks_follow_their_anchor_by_fractions() -> None:
    row = torch.rand(60, generator=torch.Generator().manual_seed(1))
    here, there = (along(row, blocks(0, 60, 1, anchor, 10.0)) for anchor in (30.0, 30.01))
    assert 0 < (here - there).abs().max() < 0.02


def test_a_blur_has_the_deviation_it_says() -> None:
    dot = torch.zeros(201)
    dot[100] = 1.0
    bell = along(dot, bells(0, 201, 1, 100.0, 12.0))
    at = torch.arange(201) - 100.0
    deviation = ((bell * at.square()).sum() / bell.sum()).sqrt()
    assert float(deviation) == pytest.approx(12, rel=0.1)


def test_luma_and_chroma_agree_on_the_edges() -> None:
    luma, chroma = blocks(0, 40, 1, 20.0, 10.0), blocks(0, 20, 2, 20.0, 10.0)
    assert len(luma) == len(chroma)
    assert np.allclose(luma[:, ::2] + luma[:, 1::2], chroma * 2)


def test_it_is_weighed_and_something_is_added() -> None:
    axis = blocks(0, 8, 1, 4.0, 3.0)
    picture = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(2))
    veil = Veil(axis, axis, CPU)
    assert torch.allclose(veil(picture, 0.25, torch.full((1, 1, 1), 3.0)), veil(picture) * 0.25 + 3)
