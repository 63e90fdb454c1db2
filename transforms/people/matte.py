"""How much of every pixel is a person: segmentation, steady in time, with edges that follow the picture's."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import yuv444_to_rgb
from transforms.context import Context
from transforms.frame import Frame, Planes
from transforms.people.resize import enlarge, halve, reduce

LANDSCAPE = 1.2
"""Width by height from which on the network for wide pictures sees more than the square one."""

REST = 0.12
"""Share of the new mask where nothing moves: noise at the edges is averaged over some 8 frames."""

STILL, MOVING = 3.0, 10.0
"""Change of a grid cell (codes, luma and chroma together) that is still noise, and that is surely motion."""

CUT = 0.5
"""Share of the picture in sure motion from which on it is another picture, and nothing of the old mask holds."""

REACH = 2
"""Cells of half the grid (1/72 of the height) around one that the guided filter fits to: at 720p 20 px, a lock of hair."""

FLATNESS = 1e-4
"""Variance of the guide (of 1) below which an edge is noise, the guided filter's epsilon."""

CHROMA_WEIGHT = 2.0
"""Chroma of a camera's picture spans about half of what luma does; the guide takes both as equally telling."""

GONE, SURE = 0.35, 0.9
"""What the guided filter says for no person at all and nothing but one: it leaves a faint glow along smooth edges."""


class Matte(NamedTuple):
    """Of a picture with (H, W) luma. ``half`` is the chroma planes' grid, ``coarse`` that of the network."""

    half: Tensor
    """(ceil(H/2), ceil(W/2)) in [0, 1]: 1 is a person."""
    coarse: Tensor
    """(h, w) in [0, 1]: the same, before its edges were refined."""
    picture: Tensor
    """(3, h, w): the picture on the coarse grid, YUV codes 0-255, float32."""


class MatteMaker:
    """One stream's. It remembers the last picture, so frames come in order."""

    def __init__(self, context: Context) -> None:
        """Loads the networks; blocks."""
        self._wide = context.network("selfie_segmentation_landscape")
        self._square = context.network("selfie_segmentation")
        self._size: tuple[int, int] | None = None
        self._mask: Tensor | None = None
        self._picture: Tensor | None = None
        self._alpha: Tensor | None = None

    def __call__(self, frame: Frame) -> Matte:
        network = self._wide if frame.width >= LANDSCAPE * frame.height else self._square
        grid = network.inputs[0][1:3]
        if self._size != (frame.width, frame.height):
            self._size = (frame.width, frame.height)
            self._mask = self._picture = self._alpha = None
        half = half_size(frame.planes)
        picture = reduce(half, grid)
        rgb = yuv444_to_rgb(picture, frame.color)
        (seen,) = network(rgb.permute(1, 2, 0)[None].contiguous())
        mask, pace = self._steady(seen.reshape(grid), picture)
        alpha = refine(mask, picture, half)
        if self._alpha is not None:
            # Once more, since the edges follow the picture and so its noise.
            alpha = torch.lerp(self._alpha, alpha, enlarge(pace[None], half.shape[1:])[0])
        self._alpha = alpha
        return Matte(alpha, mask, picture)

    def _steady(self, seen: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        """The mask, and what share of the new one is in it: all where the picture moves or the network is sure.

        ``self._picture`` is the one that the mask belongs to, so that a slow movement adds up until it is seen.
        """
        if self._mask is None or self._picture is None:
            self._mask, self._picture = seen, picture
            return seen, torch.ones_like(seen)
        change = box((picture - self._picture).abs_().sum(0, keepdim=True), 1)[0]
        motion = (change - STILL) / (MOVING - STILL)
        surprise = (seen - self._mask).square() / 2
        cut = ((motion >= 1).float().mean() >= CUT).float()
        pace = torch.maximum(motion, surprise).clamp_(REST, 1.0).maximum(cut)
        self._mask = torch.lerp(self._mask, seen, pace)
        self._picture = torch.lerp(self._picture, picture, pace)
        return self._mask, pace


def half_size(planes: Planes) -> Tensor:
    """(3, ceil(H/2), ceil(W/2)) YUV codes, float32: luma averaged over 2x2, chroma as it is."""
    y = planes.y
    height, width = y.shape
    if height % 2:
        y = torch.cat((y, y[-1:]))
    if width % 2:
        y = torch.cat((y, y[:, -1:]), 1)
    out = torch.empty((3, *planes.u.shape), device=y.device)
    out[0] = halve(y.to(torch.int16))
    out[0] *= 0.25
    out[1] = planes.u
    out[2] = planes.v
    return out


def refine(mask: Tensor, picture: Tensor, half: Tensor) -> Tensor:
    """The guided filter with a guide in colour (He, Sun and Tang, TPAMI 2013), fitted coarsely and applied to ``half``.

    In every window the mask is taken as a linear function of the colour, so its edges come to lie on the picture's.
    """
    weights = half.new_tensor([1.0, CHROMA_WEIGHT, CHROMA_WEIGHT]).div_(255)[:, None, None]
    y, u, v = halve(picture) * (weights / 4)
    p = halve(mask) * 0.25
    means = box(torch.stack((y, u, v, p, y * p, u * p, v * p, y * y, y * u, y * v, u * u, u * v, v * v)), REACH)
    y, u, v, p, yp, up, vp, yy, yu, yv, uu, uv, vv = means
    yp, up, vp = yp - y * p, up - u * p, vp - v * p
    yy, uu, vv = yy - y * y + FLATNESS, uu - u * u + FLATNESS, vv - v * v + FLATNESS
    yu, yv, uv = yu - y * u, yv - y * v, uv - u * v
    # Cramer's rule for the symmetric 3x3 system of every cell.
    yy_, yu_, yv_ = uu * vv - uv * uv, uv * yv - yu * vv, yu * uv - uu * yv
    uu_, uv_, vv_ = yy * vv - yv * yv, yu * yv - yy * uv, yy * uu - yu * yu
    scale = 1 / (yy * yy_ + yu * yu_ + yv * yv_)
    slopes = (
        (yy_ * yp + yu_ * up + yv_ * vp) * scale,
        (yu_ * yp + uu_ * up + uv_ * vp) * scale,
        (yv_ * yp + uv_ * up + vv_ * vp) * scale,
    )
    offset = p - slopes[0] * y - slopes[1] * u - slopes[2] * v
    fit = box(torch.stack((*slopes, offset)), REACH)
    fit[:3] *= weights
    fit = enlarge(fit, half.shape[1:])
    alpha = fit[3].addcmul(fit[0], half[0]).addcmul_(fit[1], half[1]).addcmul_(fit[2], half[2])
    return alpha.sub_(GONE).mul_(1 / (SURE - GONE)).clamp_(0.0, 1.0)


def box(x: Tensor, reach: int) -> Tensor:
    """Means over a square of 2 * reach + 1 cells, edges repeated. (C, h, w)."""
    side = 2 * reach + 1
    x = F.pad(x[None], (reach,) * 4, mode="replicate")[0]
    height, width = x.shape[1] - 2 * reach, x.shape[2] - 2 * reach
    # Sums of slices: several times as fast as a pool.
    rows = x[:, :height].clone()
    for step in range(1, side):
        rows += x[:, step : step + height]
    out = rows[:, :, :width] * (1 / side**2)
    for step in range(1, side):
        out.add_(rows[:, :, step : step + width], alpha=1 / side**2)
    return out
