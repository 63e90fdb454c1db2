"""Triangles and polygons to pixels, on any device, without a loop over either."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.frame import Box

Numbers = npt.NDArray[Any]

SUBROWS = 4
"""Lines per pixel row on which a polygon's edges are cut: across, its coverage is exact."""

UNIT = 1 << 16
"""Coverage is summed as integers of this much, so that the order of a GPU's threads changes nothing."""

NEARNESS = 1 << 12
"""Steps of depth told apart, where triangles lie over each other."""

SLIVER = 1e-6
"""px²: a triangle with less area than this covers nothing."""

ROUNDING = 1e-3
"""Cells by which a triangle is drawn wider, so that no cell lies between two of them."""

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
    index = _covered(points, triangles, box, step)
    return torch.from_numpy(index).to(points.device)


def interpolated(points: Tensor, values: Tensor, triangles: Tensor, box: Box, step: int = 1) -> Tensor:
    """(C, h, w): values (N, C) of the points, between them as in the triangles, at the cells of ``raster``; 0 where there is no
    triangle."""
    index = _covered(points, triangles, box, step)
    x, y = (points[:, axis].detach().cpu().numpy().astype(np.float32) for axis in (0, 1))
    corners, known = np.ascontiguousarray(triangles.cpu().numpy().T), np.ascontiguousarray(values.detach().cpu().numpy().T)
    x, y, known = x.take(corners), y.take(corners), known.take(corners, 1)
    (ax, bx), (ay, by) = x[1:] - x[0], y[1:] - y[0]
    area = ax * by - ay * bx
    inverse = np.where(np.abs(area) < SLIVER, 0, 1 / np.where(area == 0, 1, area))
    first, second = known[:, 1] - known[:, 0], known[:, 2] - known[:, 0]
    count = len(known)
    # Over each triangle it is affine. The last column is for nowhere.
    table = np.zeros((3 * count, len(triangles) + 1), np.float32)
    table[:count, :-1] = (first * by - second * ay) * inverse
    table[count : 2 * count, :-1] = (second * ax - first * bx) * inverse
    table[2 * count :, :-1] = known[:, 0] - table[:count, :-1] * x[0] - table[count : 2 * count, :-1] * y[0]
    found = torch.from_numpy(table.take(index, 1)).to(points.device)
    across, down = centres(box, step, points.device)
    return found[:count].mul_(across).add_(found[count : 2 * count].mul_(down)).add_(found[2 * count :])


def _covered(points: Tensor, triangles: Tensor, box: Box, step: int) -> Numbers:
    """On the host, whatever the device: numpy takes a third of torch's time for so few numbers, and of a GPU's."""
    height, width = max(0, -(-box.height // step)), max(0, -(-box.width // step))
    flat = np.full(height * width, -1, np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        _draw(flat, points.detach().cpu().numpy(), triangles.cpu().numpy(), (box.left, box.top, width, height), step)
    return flat.reshape(height, width)


def _draw(flat: Numbers, points: Numbers, triangles: Numbers, area: tuple[int, int, int, int], step: int) -> None:
    left, top, width, height = area
    if len(triangles) == 0 or len(flat) == 0:
        return
    # One row for all first corners, and so on, which is how numpy is fast.
    corners = np.ascontiguousarray(triangles.T)
    order = None
    if points.shape[1] > 2:
        depth = points[:, 2].take(corners).sum(0) / 3
        near, far = depth.min(), depth.max()
        steps = (far - depth) * (NEARNESS / max(far - near, SLIVER))
        order = np.argsort(np.nan_to_num(steps).astype(np.int16), kind="stable")
        corners = corners.take(order, 1)
    x = ((points[:, 0] - left - step / 2) / step).astype(np.float32).take(corners)
    y = ((points[:, 1] - top - step / 2) / step).astype(np.float32).take(corners)
    first = _within(np.ceil(np.minimum(np.minimum(y[0], y[1]), y[2])), 0, height)
    last = _within(np.floor(np.maximum(np.maximum(y[0], y[1]), y[2])), -1, height - 1)
    # One line of one triangle after the other, from where to where it is covered, and then cell by cell. The last one stays.
    row, owner = _counted(first, last)
    sides = _sides(x, y).take(owner, 1)
    edges = sides[:6] * row.astype(np.float32) + sides[6:]
    start = _within(np.ceil(edges[:3].max(0) - ROUNDING), 0, width)
    end = _within(np.floor(edges[3:].min(0) + ROUNDING), -1, width - 1)
    place, line = _counted(start + row * width, end + row * width)
    found = owner.take(line)
    flat[place] = found if order is None else order.take(found)


def _within(values: Numbers, low: int, high: int) -> Numbers:
    whole: Numbers = np.nan_to_num(np.clip(values, low, high), nan=high).astype(np.int64)
    return whole


def _counted(first: Numbers, last: Numbers) -> tuple[Numbers, Numbers]:
    """The whole numbers from each first one to each last one, one after the other, and which of these they belong to; none at
    all where there are too many."""
    count = np.maximum(last - first + 1, 0)
    ends = count.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    if total > MOST_CANDIDATES:
        count, total = np.zeros_like(count), 0
    owner = np.repeat(np.arange(len(count)), count)
    return np.arange(total) + (first + count - ends)[owner], owner


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


def _sides(x: Numbers, y: Numbers) -> Numbers:
    """(12, T) of triangles with corners (3, T): on line y, what is covered lies right of the first three of
    ``slope * y + place`` and left of the other three; six slopes, then six places. Of a triangle without area nothing does."""
    across, down = x.take((1, 2, 0), 0) - x, y.take((1, 2, 0), 0) - y
    area = across[0] * down[1] - down[0] * across[1]
    level = down == 0
    slope = across / np.where(level, 1, down)
    slope[level] = 0
    place = x - slope * y
    # Going round clockwise as the picture is seen, an edge that rises has the triangle on its right.
    rising = down * np.sign(area)
    lefts, rights = rising < 0, rising > 0
    found = np.empty((12, x.shape[1]), np.float32)
    found[:3], found[3:6] = slope, slope
    found[6:9] = np.where(lefts, place, -np.inf)
    found[9:] = np.where(rights, place, np.inf)
    found[:3][~lefts] = 0
    found[3:6][~rights] = 0
    found[6, np.abs(area) < SLIVER] = np.inf
    return found


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
