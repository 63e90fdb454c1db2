"""Triangles and polygons to pixels, on any device, without a loop over either."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.frame import Box

SUBROWS = 4
"""Lines per pixel row on which a polygon's edges are cut: across, its coverage is exact."""

UNIT = 1 << 16
"""Coverage is summed as integers of this much, so that the order of a GPU's threads changes nothing."""

NEARNESS = 1 << 12
"""Steps of depth told apart, where triangles lie over each other."""

SLIVER = 1e-6
"""px²: a triangle with less area than this covers nothing."""

MOST_CANDIDATES = 1 << 23
"""Pixels looked at for all triangles together: some ten times a frame. Points that are spread wildly draw nothing."""


def around(points: Tensor, margin: float, size: tuple[int, int]) -> Box:
    """The box of (N, 2 or more) points and ``margin`` px more, on the chroma grid, cut to a picture (width, height).

    It may be empty. Points that are no numbers give an empty one.
    """
    width, height = size
    low, high = points[:, :2].aminmax(dim=0)
    edges = torch.cat((low - margin, high + margin)).tolist()
    if not all(map(math.isfinite, edges)):
        return Box(0, 0, 0, 0)
    left, top, right, bottom = (
        max(-1.0, min(edge, limit + 1.0)) for edge, limit in zip(edges, (width, height, width, height), strict=True)
    )
    return Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)).on_chroma_grid(width, height)


def raster(points: Tensor, triangles: Tensor, box: Box, step: int = 1) -> tuple[Tensor, Tensor]:
    """Which triangle covers each pixel of the box, and where in it.

    ``points`` are (N, 2) frame px, or (N, 3) with depth as landmarks have it: of triangles over each other, the one whose
    middle is nearest (smallest z) shows. ``step`` looks at one pixel, the middle one, of each step x step. Returns the index
    (h, w) int64, -1 where there is none, and the barycentric coordinates (h, w, 3), with h and w the box's size divided by
    ``step``, rounded up.
    """
    index = coverage(points, triangles, box, step)
    x, y = centres(box, step, points.device)
    corners = points[triangles[index.clamp(min=0)], :2]
    a, b, c = corners.unbind(2)
    area = _cross(b - a, c - a)
    area = torch.where(area.abs() < SLIVER, torch.ones_like(area), area)
    place = torch.stack((x.expand(index.shape), y.expand(index.shape)), -1)
    second = _cross(place - a, c - a) / area
    third = _cross(b - a, place - a) / area
    return index, torch.stack((1 - second - third, second, third), -1)


def coverage(points: Tensor, triangles: Tensor, box: Box, step: int = 1) -> Tensor:
    """The index of ``raster`` alone."""
    height, width = -(-box.height // step), -(-box.width // step)
    none = torch.full((height, width), -1, dtype=torch.int64, device=points.device)
    if height <= 0 or width <= 0:
        return none
    offset = torch.tensor([box.left, box.top], device=points.device, dtype=points.dtype) + step / 2
    corners = ((points[:, :2] - offset) / step)[triangles]
    low, high = corners.amin(1).ceil().clamp_(min=0), corners.amax(1).floor()
    high = torch.minimum(high, torch.tensor([width - 1, height - 1], device=points.device, dtype=points.dtype))
    extent = (high - low + 1).nan_to_num(0.0).clamp(min=0, max=float(max(width, height)))
    count = extent.prod(1).long()
    ends = count.cumsum(0)
    total = int(ends[-1]) if len(triangles) else 0
    if not 0 < total <= MOST_CANDIDATES:
        return none
    owner = torch.repeat_interleave(count, output_size=total)
    # One look-up for all that a candidate needs. In float32, which is exact for so few and much faster to divide.
    table = torch.cat((_edges(corners), extent[:, :1], low.nan_to_num(0.0), (ends - count).float()[:, None]), 1)
    found = table.T.contiguous().index_select(1, owner)
    number = torch.arange(total, device=points.device).float().sub_(found[12])
    row = ((number + 0.5) / found[9]).floor_()
    x, y = found[10] + number.sub_(row * found[9]), found[11] + row
    inside = (found[0:3].mul_(x).add_(found[3:6].mul_(y)).add_(found[6:9]).amin(0) >= 0).nonzero().squeeze(1)
    key = owner[inside]
    if points.shape[1] > 2:
        depth = points[:, 2][triangles].mean(1)
        near, far = depth.aminmax()
        nearness = ((far - depth) / (far - near).clamp(min=SLIVER) * NEARNESS).nan_to_num(0.0).long()
        key = key + nearness[key] * len(triangles)
    flat = none.reshape(-1)
    flat.scatter_reduce_(0, (y[inside] * width + x[inside]).long(), key, "amax")
    return torch.where(none >= 0, none % len(triangles), none)


def centres(box: Box, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """x (1, w) and y (h, 1) in frame px of the middles of the box's cells; pixel 0 reaches from 0 to 1."""
    x = torch.arange(-(-box.width // step), device=device) * step + (box.left + step / 2)
    y = torch.arange(-(-box.height // step), device=device) * step + (box.top + step / 2)
    return x[None], y[:, None]


def polygon(points: Tensor, box: Box, feather: float = 0.0) -> Tensor:
    """(h, w) how much of each pixel of the box lies inside a closed polygon of (N, 2) points in frame px, 0 to 1.

    ``feather`` is the width in px over which the edge fades, half of it on each side: outside of that the mask is 0 exactly.
    Overlapping windings count once.
    """
    if box.empty:
        return torch.zeros((max(0, box.height), max(0, box.width)), device=points.device)
    # A soft edge needs no more cells than four across it.
    step = max(1, int(feather / 4))
    reach = math.ceil(feather / 2 / step)
    height, width = -(-box.height // step), -(-box.width // step)
    # One cell more on each side, since enlarging looks at the neighbours.
    pad = reach + 1
    origin = torch.tensor([box.left, box.top], device=points.device, dtype=points.dtype)
    mask = _filled((points[:, :2] - origin) / step + pad, height + 2 * pad, width + 2 * pad)
    if reach:
        mask = _blurred(mask, reach)
    if step == 1:
        return mask[pad : pad + height, pad : pad + width]
    mask = mask[pad - 1 : pad + height + 1, pad - 1 : pad + width + 1]
    large = F.interpolate(mask[None, None], scale_factor=step, mode="bilinear", align_corners=False)[0, 0]
    return large[step : step + box.height, step : step + box.width]


def polygons(loops: Sequence[Tensor], box: Box, feather: float = 0.0) -> Tensor:
    """(h, w) the union of several polygons."""
    masks = [polygon(loop, box, feather) for loop in loops]
    return torch.stack(masks).amax(0)


def _filled(points: Tensor, height: int, width: int) -> Tensor:
    """The signed-area accumulation of font rasterisers: each edge adds its coverage where it is, and a running sum along the
    row fills what is to the right of it."""
    sums = torch.zeros(height * (width + 2), dtype=torch.int64, device=points.device)
    start, end = points, points.roll(-1, 0)
    rise = end[:, 1] - start[:, 1]
    slope = (end[:, 0] - start[:, 0]) / torch.where(rise == 0, torch.ones_like(rise), rise)
    # The lines whose middles an edge crosses: from one (included) to another (not).
    lines = height * SUBROWS
    place = (points[:, 1].nan_to_num(0.0) * SUBROWS - 0.5).ceil().clamp(0, lines)
    first, last = torch.minimum(place, place.roll(-1, 0)), torch.maximum(place, place.roll(-1, 0))
    count = (last - first).long()
    ends = count.cumsum(0)
    total = int(ends[-1]) if len(points) else 0
    if total == 0:
        return sums.reshape(height, width + 2)[:, :width].float()
    table = torch.stack((start[:, 0], start[:, 1], slope, rise.sign() * (UNIT // SUBROWS), first - (ends - count)))
    found = table.index_select(1, torch.repeat_interleave(count, output_size=total))
    line = torch.arange(total, device=points.device).add(found[4])
    x = ((line + 0.5) / SUBROWS - found[1]).mul_(found[2]).add_(found[0]).nan_to_num_(0.0).clamp_(0, width)
    left = x.floor()
    later = ((x - left) * found[3]).round()
    target = (line.long().div_(SUBROWS, rounding_mode="floor") * (width + 2)).add_(left.long())
    sums.scatter_add_(0, target, (found[3] - later).long())
    sums.scatter_add_(0, target.add_(1), later.long())
    return (sums.reshape(height, width + 2)[:, :width].cumsum(1).float() / UNIT).abs_().clamp_(max=1.0)


def _blurred(mask: Tensor, reach: int) -> Tensor:
    """With a triangular kernel, which reaches that many pixels: so an edge rises like a smoothstep. Zero stays zero.

    It is a box on a box, by slices: on a CPU, a convolution of one channel takes three times as long.
    """
    length = reach + 1
    for axis, size in enumerate(mask.shape):
        mask = F.pad(mask, (0, 0, reach, reach) if axis == 0 else (reach, reach))
        for _ in range(2):
            kept = mask.shape[axis] - reach
            total = mask.narrow(axis, 0, kept) + mask.narrow(axis, 1, kept)
            for first in range(2, length):
                total += mask.narrow(axis, first, kept)
            mask = total
        mask = mask.narrow(axis, 0, size)
    return mask.mul(1 / length**4).clamp_(0.0, 1.0)


def _edges(corners: Tensor) -> Tensor:
    """(T, 9): nx of the lines through the edges of (T, 3, 2) triangles, then ny, then d; nx * x + ny * y + d is positive on the
    triangle's side, however it is wound. Of a triangle without area it is so nowhere."""
    a, b, c = corners.unbind(1)
    area = _cross(b - a, c - a)
    edges = (corners - corners.roll(-1, 1)) * torch.where(area < 0, -1.0, 1.0)[:, None, None]
    nx, ny = edges[..., 1], -edges[..., 0]
    d = -(nx * corners[..., 0] + ny * corners[..., 1])
    return torch.cat((nx, ny, torch.where(area.abs()[:, None] >= SLIVER, d, d.new_full((), -math.inf))), 1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
