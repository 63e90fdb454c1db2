"""Skin: what of a face is skin, and how it is made even without looking like plastic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.faces.makeup_paint import Area, Paint, mean

CELLS = 56
"""Cells across a face on which skin and blemishes are told from features: a window of five is then about as wide as an iris,
whatever the size of the face."""

EDGE = 9.0
"""Codes of luma: what differs by clearly more than this within the window is a feature, and stays."""

EVEN = 0.75
"""Share of the blotches in chroma that the strongest smoothing takes away."""

COVERAGE = 0.6
"""Share of the luma that a foundation at full opacity replaces: its tone is asked for, not a mask."""

TOLERANCE, DARKEST = 22.0, 0.4
"""Codes of chroma from the face's own, and luma by the face's own, at which something is half skin: hair and glasses are not."""

SHINE, DEW = 0.7, 0.5
"""What a matte foundation takes from highlights, and a glossy one adds to them."""

SHINE_FROM = 1.15
"""Luma by the face's own above which skin shines."""


class Skin:
    """The skin in an area at the chroma's size, and a coarse copy of it, ``CELLS`` across the face."""

    def __init__(self, area: Area, outline: Tensor, width: float) -> None:
        """``outline`` is the mask of the face, ``width`` that of the face in the area's px."""
        self._size = tuple(outline.shape)
        self._step = max(1, round(width / CELLS))
        stack = torch.cat((outline[None], area.y[None], area.uv))
        if self._step > 1:
            stack = F.avg_pool2d(stack[:, None], self._step, ceil_mode=True)[:, 0]
        self._outline, self._y, self._uv = stack[0], stack[1], stack[2:]
        self.mean = mean(stack[1:], stack[0])
        """(3,) Y, U, V."""

    def likelihood(self, tone: Tensor) -> Tensor:
        """(h, w) whether there is skin of this tone, 0 to 1, soft."""
        colour = (self._uv - tone[1:, None, None]).square_().sum(0).mul_(1 / TOLERANCE**2)
        dark = (self._y / tone[0].clamp(min=1.0)).sub_(DARKEST).mul_(4.0).add_(0.5).clamp_(0.0, 1.0)
        sure = colour.mul_(-1.0).add_(1.5).clamp_(0.0, 1.0).mul_(dark)
        self._sure = _window(sure[None])
        return self._enlarged(self._sure)[0]

    def even(self) -> tuple[Tensor, Tensor, Tensor]:
        """Slope (h, w) and offset (h, w) that make luma without blemishes out of luma, and chroma without blotches (2, h, w).

        A guided filter (He, Sun, "Fast Guided Filter", 2015) with itself as the guide, that looks at skin only.
        """
        weight = self._outline * self._sure[0] + 1e-3
        total, first, second, *uv = _window(
            torch.stack((weight, self._y * weight, self._y.square() * weight, *(self._uv * weight)))
        )
        middle = first / total
        variance = (second / total - middle.square()).clamp_(min=0.0)
        slope = variance / (variance + EDGE**2)
        lines = _window(torch.stack((slope, middle * (1 - slope))))
        slope, offset, u, v = self._enlarged(torch.stack((*lines, *(plane / total for plane in uv))))
        return slope, offset, torch.stack((u, v))

    def _enlarged(self, planes: Tensor) -> Tensor:
        if self._step > 1:
            # As a batch of single planes, for which torch has a kernel that is twice as fast.
            planes = F.interpolate(planes[:, None], scale_factor=self._step, mode="bilinear", align_corners=False)[:, 0]
        return planes[:, : self._size[0], : self._size[1]]


def foundation(area: Area, skin: Skin, mask: Tensor, tone: Tensor, paint: Paint, smoothing: float) -> Area:
    """Evens and tones an area at the chroma's size where the mask is not 0.

    ``smoothing``, 0 to 1, takes away what is larger than pores, smaller than features and of low contrast. What is finer than
    a chroma sample is not even looked at.
    """
    y, uv = area
    if smoothing > 0:
        slope, offset, chroma = skin.even()
        weight = mask * smoothing
        y = torch.lerp(y, slope.mul(y).add_(offset), weight)
        uv = torch.lerp(uv, chroma, weight.mul_(EVEN))
    if paint.opacity > 0:
        weight = mask * paint.opacity
        above = (y - tone[0] * SHINE_FROM).clamp_(min=0.0).mul_(paint.shine * (SHINE if paint.shine < 0 else DEW))
        gain = (paint.luma / tone[0].clamp(min=1.0) - 1.0).clamp(-0.5, 1.0) * COVERAGE
        shift = torch.tensor([paint.u, paint.v], device=uv.device) - tone[1:]
        y = y + above.add_(y * gain).mul_(weight)
        uv = uv + shift[:, None, None] * weight
    return Area(y, uv)


def _window(planes: Tensor) -> Tensor:
    """Means over five by five, edges repeated. By slices: on a CPU, pooling takes three times as long."""
    height, width = planes.shape[-2:]
    padded = F.pad(planes[None], (2, 2, 2, 2), mode="replicate")[0]
    rows = padded[:, :height] + padded[:, 1 : height + 1]
    for first in (2, 3, 4):
        rows += padded[:, first : first + height]
    columns = rows[:, :, :width] + rows[:, :, 1 : width + 1]
    for first in (2, 3, 4):
        columns += rows[:, :, first : first + width]
    return columns.mul_(1 / 25)
