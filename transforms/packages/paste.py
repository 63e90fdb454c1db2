"""A face cut out of a frame as a small upright square, and put back."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import rgb_to_yuv, yuv444_to_rgb
from transforms.frame import Box, Frame
from transforms.packages.alignment import Region


def cut(frame: Frame, region: Region, size: int) -> Tensor:
    """(3, size, size) RGB in [0, 1] of the region; what lies outside the picture repeats its edge."""
    box = _around(region, frame, 3)
    if box.empty:  # all of it is outside: the nearest corner
        left, top = (max(0, min(limit - 2, int(at))) for at, limit in ((region.x, frame.width), (region.y, frame.height)))
        box = Box(left, top, left + 2, top + 2).on_chroma_grid(frame.width, frame.height)
    y, u, v = frame.planes
    chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    luma = y[None, None, box.top : box.bottom, box.left : box.right].float()
    colours = torch.stack((u[chroma], v[chroma]))[None].float()
    # Where a pixel of the crop stands for several of the frame, they are averaged first, or edges would flicker.
    step = max(1, int(region.side / size))
    at = (torch.arange(size, device=frame.device) + 0.5) / size
    samples = []
    for plane, scale in ((luma, 1), (colours, 2)):
        pooled = F.avg_pool2d(plane, step, ceil_mode=True) if step > 1 else plane
        # The pooled plane may reach a little beyond the box, and a chroma plane half a sample beyond an odd picture.
        width, height = pooled.shape[3] * step * scale, pooled.shape[2] * step * scale
        (ax, ay), (dx, dy) = region.across, region.down
        x = (at * (2 * ax / width))[None] + (at * (2 * dx / width))[:, None] + (2 * (region.x - box.left) / width - 1)
        y_ = (at * (2 * ay / height))[None] + (at * (2 * dy / height))[:, None] + (2 * (region.y - box.top) / height - 1)
        samples.append(F.grid_sample(pooled, torch.stack((x, y_), -1)[None], padding_mode="border", align_corners=False)[0])
    return yuv444_to_rgb(torch.cat(samples), frame.color)


def paste(frame: Frame, region: Region, picture: Tensor, mask: Tensor) -> None:
    """Blends (3, S, S) RGB in [0, 1] over the region, as much as (S, S) ``mask`` says; where that is 0 nothing is changed."""
    box = _around(region, frame, 1)
    if box.empty:
        return
    layers = torch.cat((picture, mask[None]))[None]
    step = max(1, int(layers.shape[-1] / max(region.side, 1.0)))
    if step > 1:
        layers = F.avg_pool2d(layers, step, ceil_mode=True)
    # An odd picture's last chroma sample covers one column, or row, of luma: computed for two, cut off below.
    width, height = box.width + box.width % 2, box.height + box.height % 2
    (ax, ay), (dx, dy) = region.across, region.down
    area = ax * dy - ay * dx
    x = torch.arange(width, device=frame.device)[None] + (box.left + 0.5 - region.x)
    y = torch.arange(height, device=frame.device)[:, None] + (box.top + 0.5 - region.y)
    grid = torch.stack((x * (2 * dy / area) - y * (2 * dx / area) - 1, y * (2 * ax / area) - x * (2 * ay / area) - 1), -1)
    sampled = F.grid_sample(layers, grid[None], padding_mode="zeros", align_corners=False)[0]
    weight = sampled[3].clamp(0.0, 1.0)
    # The picture fades to black at its very edge, as the mask does, so what is left is divided by how much there is of it.
    inside = F.grid_sample(torch.ones_like(layers[:, :1]), grid[None], padding_mode="zeros", align_corners=False)[0]
    rgb = (sampled[:3] / inside.clamp(min=1e-3)).clamp(0.0, 1.0)
    new = rgb_to_yuv(rgb, frame.color)
    half = F.avg_pool2d(weight[None, None], 2)[0, 0]
    planes = frame.writable()
    chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    luma = (slice(box.top, box.bottom), slice(box.left, box.right))
    for plane, place, fresh, share in zip(planes, (luma, chroma, chroma), new, (weight, half, half), strict=True):
        old = plane[place]
        share = share[: old.shape[0], : old.shape[1]]
        old.copy_(torch.lerp(old.float(), fresh[: old.shape[0], : old.shape[1]].float(), share).round_())


def _around(region: Region, frame: Frame, margin: int) -> Box:
    """The region's upright box, cut to the frame, on the chroma grid; empty where it lies outside."""
    xs, ys = zip(*region.corners, strict=True)
    if not all(map(math.isfinite, (*xs, *ys))):
        return Box(0, 0, 0, 0)
    left, right = (max(-4.0, min(frame.width + 4.0, edge)) for edge in (min(xs), max(xs)))
    top, bottom = (max(-4.0, min(frame.height + 4.0, edge)) for edge in (min(ys), max(ys)))
    box = Box(math.floor(left) - margin, math.floor(top) - margin, math.ceil(right) + margin, math.ceil(bottom) + margin)
    return box.on_chroma_grid(frame.width, frame.height)
