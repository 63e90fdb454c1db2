from __future__ import annotations

import math

import pytest
import torch

from transforms.faces.one_euro import OneEuro


def run(filter_: OneEuro, values: list[float], rate: float = 30.0) -> list[float]:
    return [float(filter_(torch.tensor([value]), number / rate)) for number, value in enumerate(values)]


def test_the_first_value_passes() -> None:
    assert run(OneEuro(), [7.5]) == [7.5]


def test_without_beta_it_is_a_low_pass_of_first_order() -> None:
    ratio = 2 * math.pi * 1.5 / 30
    expected = 1 - (1 - ratio / (ratio + 1)) ** 10
    assert run(OneEuro(1.5), [0.0] + [1.0] * 10)[-1] == pytest.approx(expected, rel=1e-5)


def test_it_calms_what_rests_and_follows_what_moves() -> None:
    trembling = run(OneEuro(1.0, 5.0), [0.01 * (-1) ** i for i in range(90)])
    assert max(map(abs, trembling[30:])) < 0.004
    moving = run(OneEuro(1.0, 5.0), [i / 3 for i in range(90)])
    assert 89 / 3 - moving[-1] < 0.05
    assert 89 / 3 - run(OneEuro(1.0), [i / 3 for i in range(90)])[-1] > 1


def test_speed_is_counted_in_the_scale() -> None:
    large, small = OneEuro(1.0, 5.0), OneEuro(1.0, 5.0)
    for number in range(40):
        value = torch.tensor([math.sin(number / 5)])
        one, other = large(value * 100, number / 30, scale=100.0), small(value, number / 30)
    assert float(one) == pytest.approx(float(other) * 100, rel=1e-4)


@pytest.mark.parametrize("time", [1.0, 0.5])
def test_time_that_does_not_go_on_starts_afresh(time: float) -> None:
    filter_ = OneEuro()
    filter_(torch.tensor([0.0]), 1.0)
    assert float(filter_(torch.tensor([9.0]), time)) == 9.0


def test_reset_forgets() -> None:
    filter_ = OneEuro()
    filter_(torch.tensor([0.0]), 0.0)
    filter_.reset()
    assert float(filter_(torch.tensor([9.0]), 0.1)) == 9.0
