from __future__ import annotations

import torch

from transforms.faces.one_euro import OneEuro


def test_the_first_value_passes_as_it_is() -> None:
    value = torch.tensor([1.0, -2.0])
    assert torch.equal(OneEuro()(value, 10.0), value)


def test_trembling_at_rest_is_smoothed() -> None:
    noise = torch.randn(300, 20, generator=torch.Generator().manual_seed(0))
    smooth = OneEuro(least_cutoff=1.0, beta=0.0)
    out = torch.stack([smooth(value, index / 30) for index, value in enumerate(noise)])
    assert out[50:].std() < 0.4 * noise[50:].std()


def test_a_quick_movement_is_followed_sooner_with_beta() -> None:
    def after_a_step(beta: float) -> float:
        smooth = OneEuro(least_cutoff=1.0, beta=beta)
        for index in range(10):
            smooth(torch.zeros(1), index / 30)
        return float(smooth(torch.tensor([10.0]), 10 / 30))

    assert after_a_step(0.0) < 2.5
    assert after_a_step(1.0) > 8.0


def test_time_that_runs_back_starts_afresh() -> None:
    smooth = OneEuro()
    smooth(torch.zeros(1), 5.0)
    assert smooth(torch.tensor([7.0]), 1.0) == 7.0
    smooth.reset()
    assert smooth(torch.tensor([9.0]), 2.0) == 9.0
