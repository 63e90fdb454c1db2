"""A change of colours as a table over YUV codes, so that a pixel costs a lookup, whatever the change is.

Luma is looked up at every pixel, in full depth. Chroma exists once for 2x2 pixels and is finer than the table: for luma
it is dithered (each of the four pixels rounds it another way, so that their mean is the interpolated value), and the new
chroma is interpolated between the four nearest entries.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
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

    def __init__(self, change: Change, color: Color, device: torch.device, draft: bool = False) -> None:
        """A ``draft`` is computed at every other entry along each axis, which takes a fifth of the time and is a code or so off:
        for what moves, and is made again for the next picture."""
        codes = _codes(device, 2 if draft else 1)
        rgb = yuv444_to_rgb(codes, color)
        # As a difference, so that codes which stand for no RGB keep their distance from the nearest that does.
        off = rgb_to_yuv444(change(rgb) - rgb, color) - rgb_to_yuv444(torch.zeros((3, 1), device=device), color)
        if draft:
            off = _refined(off).flatten(1)
        y, u, v = off.add_(_codes(device, 1))
        luma = y.reshape(LUMAS, -1).T @ _between(device)
        self._luma = luma.add_(0.5).clamp_(0, 255).to(torch.int16).to(torch.uint8).flatten()
        u, v = (plane.mul_(FINE).add_(0.5).clamp_(0, 255 * FINE).to(torch.int32) for plane in (u, v))
        self._chroma = (u << 16).add_(v).reshape(LUMAS, -1).T.contiguous().flatten()

    def __call__(self, planes: Planes) -> Planes:
        """New planes of the picture."""
        height, width = planes.y.shape
        y = _even(planes.y)
        u, v = planes.u.to(torch.int16), planes.v.to(torch.int16)
        index = torch.empty(y.shape, dtype=torch.int32, device=y.device)
        for number, (for_u, for_v) in enumerate(ROUNDINGS):
            entry = ((u + for_u) >> BITS).mul_(NODES).add_((v + for_v) >> BITS)
            index[number // 2 :: 2, number % 2 :: 2] = entry
        index.mul_(256).add_(y)
        luma = self._luma.index_select(0, index.flatten()).reshape(y.shape)[:height, :width]
        return Planes(luma.contiguous(), *self._new_chroma(y, u, v))

    def _new_chroma(self, y: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        mean = (halve(y.to(torch.int16)) + 2 * COARSE) >> 4
        right, down = (u & (STEP - 1)).to(torch.int32), (v & (STEP - 1)).to(torch.int32)
        first = (u >> BITS).mul_(NODES).add_(v >> BITS).to(torch.int32).mul_(LUMAS).add_(mean).flatten()
        both = torch.full_like(right, (FINE * STEP * STEP // 2) * ((1 << 16) + 1))
        last = (NODES + 1) * LUMAS
        for across, weight_u in ((0, STEP - right), (1, right)):
            for along, weight_v in ((0, STEP - down), (1, down)):
                start = (across * NODES + along) * LUMAS
                corner = self._chroma[start : len(self._chroma) - last + start]
                value = corner.index_select(0, first).reshape(u.shape)
                both.addcmul_(value, weight_u * weight_v)
        return ((both >> 24) & 255).to(torch.uint8), ((both >> 8) & 255).to(torch.uint8)


@lru_cache(maxsize=4)
def _codes(device: torch.device, each: int) -> Tensor:
    """(3, N) Y, U and V where the change is computed, at each or each second entry, luma outermost."""
    luma = torch.arange(0, LUMAS, each, device=device, dtype=torch.float32) * COARSE
    chroma = torch.arange(0, NODES, each, device=device, dtype=torch.float32) * STEP
    return torch.stack([plane.flatten() for plane in torch.meshgrid(luma, chroma, chroma, indexing="ij")])


@lru_cache(maxsize=4)
def _between(device: torch.device) -> Tensor:
    """(LUMAS, 256): linear interpolation along luma as a matrix."""
    place = torch.arange(256, device=device) / COARSE
    return (1 - (place - torch.arange(LUMAS, device=device)[:, None]).abs()).clamp_(min=0.0)


def _refined(draft: Tensor) -> Tensor:
    """(3, LUMAS, NODES * NODES) of (3, N) at every other entry: between two, their mean."""
    nodes = (NODES + 1) // 2
    table = F.interpolate(draft.reshape(1, -1, nodes, nodes), size=(NODES, NODES), mode="bilinear", align_corners=True)
    table = table.reshape(3, -1, NODES * NODES)
    fine = table.new_empty((3, LUMAS, NODES * NODES))
    fine[:, ::2] = table
    torch.lerp(table[:, :-1], table[:, 1:], 0.5, out=fine[:, 1::2])
    return fine


def _even(y: Tensor) -> Tensor:
    """With the last row and column twice where their number is odd, so that every chroma sample has four pixels."""
    if y.shape[0] % 2:
        y = torch.cat((y, y[-1:]))
    return torch.cat((y, y[:, -1:]), 1) if y.shape[1] % 2 else y
