"""A change of colours as a table over YUV codes, so that a pixel costs a lookup, whatever the change is.

Luma is looked up at every pixel, in full depth. Chroma exists once for 2x2 pixels and is finer than the table: for luma
it is dithered (each of the four pixels rounds it another way, so that their mean is the interpolated value), and the new
chroma is interpolated between the four nearest entries.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from transforms.color import Color, rgb_to_yuv444, yuv444_to_rgb
from transforms.frame import Planes
from transforms.people.resize import halve

BITS = 3
STEP = 1 << BITS
"""Chroma codes from one entry to the next."""

NODES = 256 // STEP + 1
"""Entries along an axis of chroma."""

COARSE = 4
"""Luma codes from one entry to the next where the change is computed; between them luma is interpolated."""

LUMAS = 256 // COARSE + 1

FINE = 4
"""New chroma is tabled in this part of a code. With weights of ``STEP**2`` a value has 16 bits, so that two share an int32."""

ROUNDINGS = ((1, 5), (7, 3), (5, 7), (3, 1))
"""What is added to U and V before the last bits are dropped, for the four pixels of a chroma sample, row by row."""

Change = Callable[[Tensor], Tensor]
"""(3, N) RGB in [0, 1] to the same."""


class Table:
    """What a change makes of every picture of one kind of colour."""

    def __init__(self, change: Change, color: Color, device: torch.device) -> None:
        codes = _codes(device)
        rgb = yuv444_to_rgb(codes, color)
        # As a difference, so that codes which stand for no RGB keep their distance from the nearest that does.
        y, u, v = codes + rgb_to_yuv444(change(rgb), color) - rgb_to_yuv444(rgb, color)
        y = _between(device) @ y.reshape(LUMAS, -1)
        self._luma = y.add_(0.5).clamp_(0, 255).to(torch.uint8).T.contiguous().flatten()
        u, v = (plane.mul(FINE).add_(0.5).clamp_(0, 255 * FINE).to(torch.int32) for plane in (u, v))
        self._chroma = (u << 16).add_(v).reshape(LUMAS, -1).T.contiguous().flatten()

    def __call__(self, planes: Planes) -> Planes:
        """New planes of the picture."""
        height, width = planes.y.shape
        y = _even(planes.y)
        u, v = planes.u.to(torch.int32), planes.v.to(torch.int32)
        index = torch.empty(y.shape, dtype=torch.int32, device=y.device)
        for number, (for_u, for_v) in enumerate(ROUNDINGS):
            entry = ((u + for_u) >> BITS).mul_(NODES).add_((v + for_v) >> BITS)
            index[number // 2 :: 2, number % 2 :: 2] = entry << 8
        luma = self._luma.index_select(0, index.add_(y.to(torch.int32)).flatten()).reshape(y.shape)[:height, :width]
        return Planes(luma.contiguous(), *self._new_chroma(y, u, v))

    def _new_chroma(self, y: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        mean = (halve(y.to(torch.int16)).to(torch.int32) + 2 * COARSE) >> 4
        right, down = u & (STEP - 1), v & (STEP - 1)
        first = (u >> BITS).mul_(NODES).add_(v >> BITS).mul_(LUMAS).add_(mean)
        both = torch.full_like(u, (FINE * STEP * STEP // 2) * ((1 << 16) + 1))
        for across, weight_u in ((0, STEP - right), (1, right)):
            for along, weight_v in ((0, STEP - down), (1, down)):
                entry = first + (across * NODES + along) * LUMAS
                value = self._chroma.index_select(0, entry.flatten()).reshape(u.shape)
                both += value.mul_(weight_u * weight_v)
        return ((both >> 24) & 255).to(torch.uint8), ((both >> 8) & 255).to(torch.uint8)


@lru_cache(maxsize=4)
def _codes(device: torch.device) -> Tensor:
    """(3, N) Y, U and V where the change is computed, luma outermost."""
    luma = torch.arange(LUMAS, device=device, dtype=torch.float32) * COARSE
    chroma = torch.arange(NODES, device=device, dtype=torch.float32) * STEP
    return torch.stack([plane.flatten() for plane in torch.meshgrid(luma, chroma, chroma, indexing="ij")])


@lru_cache(maxsize=4)
def _between(device: torch.device) -> Tensor:
    """(256, LUMAS): linear interpolation along luma as a matrix."""
    place = torch.arange(256, device=device)[:, None] / COARSE
    return (1 - (place - torch.arange(LUMAS, device=device)).abs()).clamp_(min=0.0)


def _even(y: Tensor) -> Tensor:
    """With the last row and column twice where their number is odd, so that every chroma sample has four pixels."""
    if y.shape[0] % 2:
        y = torch.cat((y, y[-1:]))
    return torch.cat((y, y[:, -1:]), 1) if y.shape[1] % 2 else y
