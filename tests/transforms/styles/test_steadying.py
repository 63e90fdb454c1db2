from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from transforms.styles.steadying import Steadied

DRAWN = [torch.rand((3, 40, 60), generator=torch.Generator().manual_seed(seed)) for seed in range(30)]


def test_a_drawing_of_a_still_picture_comes_to_rest() -> None:
    steadied = Steadied()
    noise = torch.Generator().manual_seed(1)
    shown = [steadied(0.5 + 0.005 * torch.randn((3, 40, 60), generator=noise), drawn, 1 / 30) for drawn in DRAWN]
    flicker = torch.stack([(a - b).abs().mean() for a, b in pairwise(shown[10:])])
    before = torch.stack([(a - b).abs().mean() for a, b in pairwise(DRAWN[10:])])
    assert flicker.max() < before.min() / 6


def test_what_moves_is_shown_as_it_is() -> None:
    steadied = Steadied()
    original = torch.zeros((3, 40, 60))
    steadied(original, DRAWN[0], 1 / 30)
    moved = original.clone()
    moved[:, :, :20] = 0.5
    shown = steadied(moved, DRAWN[1], 1 / 30)
    assert torch.equal(shown[:, :, :18], DRAWN[1][:, :, :18])
    assert (shown[:, :, 30:] - DRAWN[0][:, :, 30:]).abs().max() < 0.1


def test_slow_changes_add_up() -> None:
    steadied = Steadied()
    for step in range(30):
        shown = steadied(torch.full((3, 40, 60), step * 0.01), torch.full((3, 40, 60), step / 30), 1 / 30)
    assert 29 / 30 - shown.mean() < 0.15  # at rest it would lag by 0.33


@pytest.mark.parametrize("original", [torch.ones((3, 40, 60)), torch.zeros((3, 40, 62))])
def test_another_picture_begins_anew(original: torch.Tensor) -> None:
    steadied = Steadied()
    steadied(torch.zeros((3, 40, 60)), DRAWN[0], 1 / 30)
    drawn = torch.rand(original.shape)
    assert torch.equal(steadied(original, drawn, 1 / 30), drawn)
