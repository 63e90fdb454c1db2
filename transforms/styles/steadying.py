"""Keeps a redrawn picture still where the picture that it was drawn from is still."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

STILL, MOVING = 0.012, 0.06
"""Change of the original, of 1, averaged over colours and neighbours, that is still noise, and that is surely motion."""

REACH = 2
"""Pixels around one in which motion moves it too: as far as a stroke goes on."""

REST = 0.35
"""Seconds over which the drawing is averaged where nothing moves."""

CUT = 0.6
"""Share of the picture in motion from which on it is another one."""


class Steadied:
    """One sequence of pictures of one size; another size begins another."""

    def __init__(self) -> None:
        self._original: Tensor | None = None
        self._drawn: Tensor | None = None

    def __call__(self, original: Tensor, drawn: Tensor, elapsed: float) -> Tensor:
        """What to show: ``drawn`` where ``original`` moved, and mostly what was shown where it did not; (3, h, w) each.

        ``elapsed`` seconds since the last call.
        """
        if self._original is None or self._drawn is None or self._original.shape != original.shape or elapsed < 0:
            self._original, self._drawn = original, drawn
            return drawn
        change = (original - self._original).abs_().mean(0, keepdim=True)
        change = F.avg_pool2d(change[None], 2 * REACH + 1, 1, REACH, count_include_pad=False)[0]
        motion = ((change - STILL) / (MOVING - STILL)).clamp_(0.0, 1.0)
        cut = ((motion >= 1).float().mean() >= CUT).float()
        pace = motion.clamp_(min=1 - math.exp(-elapsed / REST)).maximum(cut)
        # The original too, so that a slow movement adds up until it is seen.
        self._original = torch.lerp(self._original, original, pace)
        self._drawn = torch.lerp(self._drawn, drawn, pace)
        return self._drawn
