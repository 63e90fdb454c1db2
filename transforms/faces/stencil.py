"""What hiding one place takes, apart from the picture: which pixels, how much of each, and what is shown instead.

Of places that rest, and of all that is drawn twice in a frame, it is made once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from transforms.faces.head import Head
from transforms.faces.veil import Kind, Veil
from transforms.frame import Box

BINOMIAL = np.array((1, 4, 6, 4, 1))
"""(a + b)^4"""


class Shape(NamedTuple):
    """What is asked for."""

    head: Head | None
    """None hides the whole picture."""
    soft: float
    """Width of the soft edge along the head's shorter axis, px; it is as much wider along the longer one."""
    unit: float
    """Size of a block, or reach of a blur, px."""
    stretch: float
    """Times as wide as high."""
    kinds: tuple[Kind, ...]
    width: int
    """Of the picture, px."""
    height: int


class Stencil:
    """Masks and veils are those of luma and of chroma."""

    def __init__(self, shape: Shape, device: torch.device) -> None:
        head, width, height = shape.head, shape.width, shape.height
        self.box = Box(0, 0, width, height) if head is None else _around(head, shape.soft, width, height)
        """Of all pixels that change, on the chroma grid."""
        self.masks: tuple[Tensor | None, ...] = (None, None)
        """(h, w) float32, from 0 to 1; None hides all of the box."""
        self.veils: tuple[tuple[Veil, ...], ...] = ((), ())
        """One for each kind."""
        if self.box.empty:
            return
        x, y = (width / 2, height / 2) if head is None else (head.x, head.y)
        if head is not None:
            self.masks = tuple(_mask(head, shape.soft, self.box, step, device) for step in (1, 2))
        left, top, right, bottom = self.box
        self.veils = tuple(
            tuple(
                Veil(
                    kind(top, -(-(bottom - top) // step), step, y, shape.unit),
                    kind(left, -(-(right - left) // step), step, x, shape.unit * shape.stretch),
                    device,
                )
                for kind in shape.kinds
            )
            for step in (1, 2)
        )


class Stencils:
    """Those of one stream's frame and of the one before; no more are kept."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._now: dict[Shape, Stencil] = {}
        self._before: dict[Shape, Stencil] = {}

    def begin(self) -> None:
        """Another frame."""
        self._before, self._now = self._now, {}

    def __call__(self, shape: Shape) -> Stencil:
        stencil = self._now.get(shape) or self._before.get(shape) or Stencil(shape, self._device)
        self._now[shape] = stencil
        return stencil


def _around(head: Head, soft: float, width: int, height: int) -> Box:
    """The head with its soft edge, as far as it is in the picture."""
    # The edge is measured along the shorter axis and is as much wider along the longer one.
    across, down = head.grown(soft * max(1.0, head.down / head.across)).reach
    left, right = (max(-1.0, min(width + 1.0, head.x + side)) for side in (-across, across))
    top, bottom = (max(-1.0, min(height + 1.0, head.y + side)) for side in (-down, down))
    return Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)).on_chroma_grid(width, height)


def _mask(head: Head, soft: float, box: Box, step: int, device: torch.device) -> Tensor:
    """Of a box's pixels, or of those of a plane that are ``step`` px wide and high: 1 in the head, less and less in its edge.

    The exponent 4 makes a rounded rectangle: it covers ears and chin, and looks less like a head than an ellipse.
    """
    x = (np.arange(box.left, box.right, step) + (step / 2 - head.x)) / head.across
    y = (np.arange(box.top, box.bottom, step) + (step / 2 - head.y)) / head.across
    # (end - along^4 - down^4) / (end - 1), with along = x cos + y sin and down = (y cos - x sin) slim: 1 at the head's outline
    # and 0 where the soft edge ends, without taking a root of each pixel. Multiplied out that is a polynomial of x and y, so the
    # product of two small matrices.
    end = (1 + soft / head.across) ** 4
    cos, sin, slim = math.cos(head.roll), math.sin(head.roll), head.across / head.down
    of_x = np.arange(5)
    factors = BINOMIAL * (cos**of_x * sin ** (4 - of_x) + slim**4 * (-sin) ** of_x * cos ** (4 - of_x))
    down = np.vander(y, 5) * factors
    down[:, 0] -= end
    across = np.vander(x, 5, increasing=True) / (1 - end)
    edge = torch.mm(*(torch.from_numpy(part.astype(np.float32)).to(device) for part in (down, across.T))).clamp_(0, 1)
    return torch.rsub(edge, 3, alpha=2).mul_(edge.square_())
