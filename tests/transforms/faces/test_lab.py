from __future__ import annotations

import pytest
import torch

from transforms.faces.lab import delta_e, gamma, lab_to_rgb, linear, rgb_to_lab

CUBE = torch.stack(torch.meshgrid(*([torch.linspace(0, 1, 6)] * 3), indexing="ij")).reshape(3, -1)


def test_known_colours() -> None:
    known = {(1.0, 1.0, 1.0): (100.0, 0.0, 0.0), (1.0, 0.0, 0.0): (53.24, 80.09, 67.20), (0.0, 0.0, 1.0): (32.30, 79.19, -107.86)}
    for rgb, lab in known.items():
        assert rgb_to_lab(torch.tensor(rgb)).tolist() == pytest.approx(lab, abs=0.05)


def test_there_and_back() -> None:
    assert torch.allclose(lab_to_rgb(rgb_to_lab(CUBE)), CUBE, atol=2e-4)
    assert torch.allclose(gamma(linear(CUBE)), CUBE, atol=1e-4)


# The pairs of table 1 in Sharma et al. that tell implementations apart, and their differences.
@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000(one: tuple[float, ...], other: tuple[float, ...], difference: float) -> None:
    found = delta_e(torch.tensor(one, dtype=torch.float64), torch.tensor(other, dtype=torch.float64))
    assert float(found) == pytest.approx(difference, abs=1e-4)
