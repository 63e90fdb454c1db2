"""How an avatar moves at one moment, whoever or whatever moves it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from transforms.avatars.puppet import Turn
from transforms.faces.blendshapes import NAMES

SHAPES = len(NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Away from the portrait as it is."""

    values: Tensor
    """(55,) float32 on the host: weights of the 52 shapes (``NAMES``), then yaw, pitch and roll, degrees."""

    @classmethod
    def of(cls, weights: dict[str, float] | None = None, turn: Turn = Turn()) -> Motion:  # noqa: B008 - immutable
        """From the weights by their names."""
        weights = weights or {}
        return cls(torch.tensor([*(weights.get(name, 0.0) for name in NAMES), *turn]))

    @property
    def turn(self) -> Turn:
        return Turn(*self.values[SHAPES:].tolist())

    def __add__(self, other: Motion) -> Motion:
        return Motion(self.values + other.values)

    def scaled(self, expression: float, head: float) -> Motion:
        """With so much of its expression and of its turn."""
        factors = torch.full_like(self.values, expression)
        factors[SHAPES:] = head
        return Motion(self.values * factors)
