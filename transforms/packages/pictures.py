"""Pictures as networks have them (layout, order of colours, range), to and from (n, 3, H, W) RGB in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from transforms.packages.tensors import MaskOutput, PictureInput, PictureOutput


def to_network(rgb: Tensor, described: PictureInput) -> Tensor:
    """(n, 3, H, W) RGB in [0, 1] as the network takes it."""
    if described.order == "bgr":
        rgb = rgb.flip(1)
    parts = []
    for part in described.parts:
        if part == "upper":
            rgb_part = rgb.clone()
            rgb_part[:, :, rgb.shape[2] // 2 :] = 0
            parts.append(rgb_part)
        else:
            parts.append(rgb)
    stacked = torch.cat([_scaled(part, described) for part in parts], 1)
    return (stacked if described.layout == "nchw" else stacked.permute(0, 2, 3, 1)).contiguous()


def from_network(picture: Tensor, described: PictureOutput) -> Tensor:
    """The network's answer as (n, 3, H, W) RGB in [0, 1]."""
    rgb = _unit(picture, described)
    return rgb.flip(1) if described.order == "bgr" else rgb


def mask_from_network(mask: Tensor, described: MaskOutput) -> Tensor:
    """(n, H, W) in [0, 1]."""
    return _unit(mask, described)[:, 0]


def _scaled(rgb: Tensor, described: PictureInput) -> Tensor:
    if described.mean is not None and described.std is not None:
        mean, std = (rgb.new_tensor(values)[:, None, None] for values in (described.mean, described.std))
        return (rgb - mean) / std
    low, high = described.range
    return rgb * (high - low) + low


def _unit(picture: Tensor, described: PictureOutput | MaskOutput) -> Tensor:
    if described.layout == "nhwc":
        picture = picture.permute(0, 3, 1, 2)
    low, high = described.range
    return ((picture - low) / (high - low)).clamp(0.0, 1.0)
