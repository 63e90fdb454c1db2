from __future__ import annotations

import pytest
import torch

from tests.transforms.ciede2000 import difference, lab

# From the table of Sharma, Wu and Dalal, by their numbers.
PAIRS = {
    1: ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    17: ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    25: ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    34: ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
}


@pytest.mark.parametrize("number", PAIRS)
def test_pairs_of_which_the_difference_is_known(number: int) -> None:
    one, other, expected = PAIRS[number]
    assert difference(torch.tensor(one), torch.tensor(other)) == pytest.approx(expected, abs=1e-4)


def test_lab_of_known_colours() -> None:
    assert lab(torch.ones(3)).tolist() == pytest.approx([100, 0, 0], abs=0.01)
    assert lab(torch.tensor([1.0, 0.0, 0.0])).tolist() == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
