"""Puts a portrait's skin into the live light: what is coarse becomes the live face's, what is fine stays the portrait's.

Over the face the luma is multiplied and the chroma shifted by smooth fields, which are quotients and differences of the two
faces' blurred skin: so side light stays on its side, and a dark skin's contrast fits. Towards the rim the blur gets narrower
and the fields follow the live face closely, so that nothing is left of the difference where the portrait ends.

Sources: the quotient image (Shashua, Riklin-Raviv, PAMI 2001); normalised convolution (Knutsson, Westin, CVPR 1993).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.people.resize import double, halve
from transforms.portraits.layout import rise

WIDE, NARROW = 0.85, 0.4
"""cm, deviations of the blur over the face and at its rim."""

SEAM = 0.35, 0.95
"""The portrait's share between which the narrow blur gives way to the wide one."""

DARKEST = 6.0
"""Luma codes: below it a quotient says nothing."""

GAIN = 0.3, 3.0
"""Most by which the portrait is darkened or brightened."""

CONTRAST = 0.4, 1.1
"""Most by which the portrait's skin is evened out or livened up, to vary as much as the live one."""

PALE = 0.3, 1.25
"""Most by which its chroma is multiplied, to be as colourful as the live one: lips and make-up must not glow in dull light."""

HUE = 0.7
"""How much of the chroma's detail is left out on skin: redder and yellower places are its own light's as often as its blood's."""

DARKER = 0.65, 0.88
"""Luma of a cell, by that of the skin around it, from which it begins to count as skin, and counts in full."""

NOISE = 2.0
"""Variance, codes squared, that even a flat patch has."""

DOUBT = 0.05
"""Weight of the wider surroundings where there is hardly any skin under the narrower blur."""


def tone(
    live: tuple[Tensor, Tensor], worn: tuple[Tensor, Tensor], share: Tensor, kinds: Tensor, scale: float, step: int, match: float
) -> Tensor:
    """(6, rows, columns) over the cells: the share of the portrait; what its luma and its chroma are multiplied by, and what is
    then added to luma, u and v, all five times the share.

    ``live`` and ``worn`` are luma (h, w) from black on and chroma (2, h/2, w/2) about 0 of the two faces; ``share``
    (rows, columns) and ``kinds`` (3, rows, columns), how surely the live face and the worn one have bare skin there and
    how plain it is to be, are over the cells, one
    more than the box has on each side.
    """
    cell = 2 * step
    both = torch.stack((_pooled(*live, cell), _pooled(*worn, cell)))
    rows, columns = both.shape[2:]
    covered, *skins, plain = _coarse(torch.cat((share[None], kinds)), rows, columns)
    seam = 1 - rise(covered, SEAM)
    weights = torch.stack(skins)[:, None] * (covered > 0)
    rough = _weighted(both[:, :1], weights, WIDE * scale / cell)
    # Cells darker than their surroundings are hair or lashes that the mesh knows nothing of.
    weights = weights * rise(both[:, :1] * rough[:, 1:] / rough[:, :1].clamp(min=1e-6), DARKER)
    wide = _weighted(both, weights, WIDE * scale / cell)
    narrow = _blurred(torch.cat((both * weights, weights), 1), NARROW * scale / cell).add_(wide * DOUBT)
    wide = wide[:, :3] / wide[:, 3:]
    skin = weights.prod(0)[0]
    live_low, worn_low = torch.lerp(wide, narrow[:, :3] / narrow[:, 3:], seam)
    amount = 1 - (1 - seam) * (1 - match)
    gain = (live_low[0].clamp(min=DARKEST) / worn_low[0].clamp(min=DARKEST)).clamp(*GAIN)
    gain = 1 + (gain - 1) * amount
    # How much both vary about their blurred selves, on skin alone.
    apart = (both[:, 0] - wide[:, 0]) * torch.stack((torch.ones_like(gain), gain))
    live_varies, worn_varies = (apart.square() * skin).sum((1, 2)) + NOISE * skin.sum()
    contrast = (live_varies / worn_varies.clamp(min=1e-6)).sqrt().clamp(*CONTRAST)
    even = torch.maximum(skin * (1 - contrast) * match, plain)
    live_color, worn_color = (wide[:, 1:] * skin).sum((2, 3)).norm(dim=1) + 1e-3
    pale = 1 + ((live_color / worn_color).clamp(*PALE) - 1) * amount
    luma = worn_low[0] * gain * even
    hue = torch.maximum(even, skin * HUE * match)
    chroma = live_low[1:] * amount - worn_low[1:] * pale * (amount - hue)
    gain = gain * (1 - even)
    pale = pale * (1 - hue)
    large = _cells(torch.cat((torch.stack((gain, pale, luma)), chroma)), share.shape)
    maps = share.new_zeros((6, *share.shape))
    maps[0] = share
    torch.mul(large, share, out=maps[1:])
    return maps


def _weighted(colours: Tensor, weights: Tensor, sigma: float) -> Tensor:
    """(2, C + 1, h, w): colours times weights, and weights, blurred; with a little of their mean, so that no weight is 0."""
    stack = torch.cat((colours * weights, weights), 1)
    everywhere = stack.mean((2, 3), keepdim=True)
    everywhere[:, -1] += 1e-4
    return _blurred(stack, sigma).add_(everywhere * DOUBT)


def _cells(coarse: Tensor, shape: torch.Size) -> Tensor:
    """To the cells' grid, which begins one cell, and that is half a coarse one, before the box."""
    padded = F.pad(coarse[None], (1, 1, 1, 1), mode="replicate")[0]
    return double(padded)[:, 1 : 1 + shape[0], 1 : 1 + shape[1]]


def _pooled(luma: Tensor, chroma: Tensor, cell: int) -> Tensor:
    """(3, rows, columns) means over cells of so many px; what is left over at the edges counts for what there is of it."""
    rows, columns = -(-luma.shape[0] // cell), -(-luma.shape[1] // cell)
    small = halve(luma).mul_(0.25)
    out = luma.new_empty((3, rows, columns))
    out[:1] = _means(small[None], cell // 2, rows, columns)
    out[1:] = _means(chroma, cell // 2, rows, columns)
    return out


def _means(planes: Tensor, cell: int, rows: int, columns: int) -> Tensor:
    down, across = rows * cell - planes.shape[1], columns * cell - planes.shape[2]
    planes = F.pad(planes[None], (0, across, 0, down), mode="replicate")[0]
    for _ in range(cell.bit_length() - 1):
        planes = halve(planes)
    return planes / cell**2


def _coarse(cells: Tensor, rows: int, columns: int) -> Tensor:
    inner = F.pad(cells[:, 1:, 1:], (0, 1, 0, 1))
    return (halve(inner) / 4)[:, :rows, :columns]


def _blurred(stack: Tensor, sigma: float) -> Tensor:
    return (
        gaussian(stack.shape[-2], round(sigma, 1), stack.device)
        @ stack
        @ gaussian(stack.shape[-1], round(sigma, 1), stack.device)
    )


@lru_cache(maxsize=64)
def gaussian(length: int, sigma: float, device: torch.device) -> Tensor:
    """(length, length), symmetric."""
    sigma = max(sigma, 0.3)
    place = torch.arange(length, device=device, dtype=torch.float32)
    return torch.exp((place[:, None] - place).square_() / (-2 * sigma * sigma)) / (sigma * math.sqrt(2 * math.pi))
