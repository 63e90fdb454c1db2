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
    corners = (points[:, :2] - offset)[triangles] / step
    low, high = corners.amin(1).ceil(), corners.amax(1).floor()
    limit = torch.tensor([width - 1, height - 1], device=points.device, dtype=points.dtype)
    low, high = low.clamp(min=0), torch.minimum(high, limit)
    extent = (high - low + 1).nan_to_num(0.0).clamp(min=0, max=float(max(width, height))).long()
    count = extent.prod(1)
    total = int(count.sum())
    if not 0 < total <= MOST_CANDIDATES:
        return none
    owner = torch.repeat_interleave(count, output_size=total)
    # In float32, which is exact for so few and much faster to divide.
    number = (torch.arange(total, device=points.device) - (count.cumsum(0) - count)[owner]).float()
    bounds = torch.cat((extent.float(), low.nan_to_num(0.0)), 1).T[:, owner]
    row = ((number + 0.5) / bounds[0]).floor_()
    x, y = bounds[2] + number - row * bounds[0], bounds[3] + row
    inside = _inside(corners, owner, x, y).nonzero().squeeze(1)
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
    rows = (torch.arange(height * SUBROWS, device=points.device) + 0.5) / SUBROWS
    start, end = points, points.roll(-1, 0)
    low, high = torch.minimum(start[:, 1], end[:, 1]), torch.maximum(start[:, 1], end[:, 1])
    crossed = (rows[None] >= low[:, None]) & (rows[None] < high[:, None])
    rise = end[:, 1] - start[:, 1]
    slope = (end[:, 0] - start[:, 0]) / torch.where(rise == 0, torch.ones_like(rise), rise)
    x = (start[:, 0, None] + (rows[None] - start[:, 1, None]) * slope[:, None]).nan_to_num(0.0).clamp(0, width)
    left = x.floor()
    sign = rise.sign()[:, None] * (UNIT // SUBROWS)
    sign = torch.where(crossed, sign, torch.zeros_like(sign))
    later = ((x - left) * sign).round()
    now = sign - later
    target = (
        torch.arange(height * SUBROWS, device=points.device).div(SUBROWS, rounding_mode="floor")[None] * (width + 2) + left.long()
    )
    sums = torch.zeros(height * (width + 2), dtype=torch.int64, device=points.device)
    sums.scatter_add_(0, target.reshape(-1), now.long().reshape(-1))
    sums.scatter_add_(0, target.reshape(-1) + 1, later.long().reshape(-1))
    return (sums.reshape(height, width + 2)[:, :width].cumsum(1).float() / UNIT).abs_().clamp_(max=1.0)


def _blurred(mask: Tensor, reach: int) -> Tensor:
    """With a triangular kernel, which reaches that many pixels: so an edge rises like a smoothstep. Zero stays zero."""
    kernel = 1.0 - torch.arange(-reach, reach + 1, device=mask.device).abs() / (reach + 1.0)
    kernel = kernel / kernel.sum()
    picture = F.conv2d(mask[None, None], kernel.reshape(1, 1, 1, -1), padding=(0, reach))
    return F.conv2d(picture, kernel.reshape(1, 1, -1, 1), padding=(reach, 0))[0, 0].clamp_(0.0, 1.0)


def _inside(corners: Tensor, owner: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Whether each candidate lies in its triangle, which may be wound either way."""
    a, b, c = corners.unbind(1)
    area = _cross(b - a, c - a)
    turn = torch.where(area < 0, -1.0, 1.0)
    inside = (area.abs() >= SLIVER)[owner]
    for start, end in ((a, b), (b, c), (c, a)):
        # The edge's line as nx * x + ny * y + d: positive on the triangle's side.
        nx, ny = (start[:, 1] - end[:, 1]) * turn, (end[:, 0] - start[:, 0]) * turn
        line = torch.stack((nx, ny, -(nx * start[:, 0] + ny * start[:, 1])))[:, owner]
        inside &= line[0].mul_(x).add_(line[1].mul_(y)).add_(line[2]) >= 0
    return inside


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
