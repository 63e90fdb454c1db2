"""Puts changed parts back into the picture so that nobody sees where they begin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import rgb_to_yuv
from transforms.faces.lab import lab_to_rgb, rgb_to_lab
from transforms.frame import Box, Frame

REGULAR = 1e-4
"""Added to variances: a flat patch has a direction to be stretched along, too, and is not stretched without bound."""


def paste(frame: Frame, rgb: Tensor, mask: Tensor, box: Box) -> None:
    """Lays (3, h, w) RGB in [0, 1] over the box, whose edges are on the chroma grid, as far as the mask (h, w) says, 0 to 1.

    Where the mask is 0 the planes stay as they are to the bit: mixing happens in YUV.
    """
    height, width = box.height, box.width
    pad = (0, width % 2, 0, height % 2)
    if any(pad):
        rgb = F.pad(rgb[None], pad, mode="replicate")[0]
        mask = F.pad(mask[None, None], pad, mode="replicate")[0, 0]
    new = rgb_to_yuv(rgb, frame.color)
    half = F.avg_pool2d(mask[None], 2)[0]
    y, u, v = frame.writable()
    area = (slice(box.top, box.bottom), slice(box.left, box.right))
    chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    y[area] = mix(y[area], new[0][:height, :width], mask[:height, :width])
    u[chroma] = mix(u[chroma], new[1], half)
    v[chroma] = mix(v[chroma], new[2], half)


def mix(old: Tensor, new: Tensor, mask: Tensor) -> Tensor:
    """uint8 codes between old ones, where the mask is 0, and new ones, where it is 1; exact at both ends."""
    return torch.lerp(old.float(), new.float(), mask).add_(0.5).to(torch.int16).to(torch.uint8)


def tint(rgb: Tensor, color: Tensor, amount: Tensor, reference: Tensor | float, texture: float = 1.0) -> Tensor:
    """Colours (3, h, w) RGB as paint does that lets the light through: hue and chroma become those of ``color`` (3,), while
    lightness keeps its differences to ``reference``, the usual L* of that part, times ``texture``, around the colour's own.

    ``amount`` (h, w) in [0, 1]. Works in L*a*b*.
    """
    lab = rgb_to_lab(rgb)
    wanted = rgb_to_lab(color.reshape(3, 1, 1))
    lightness = wanted[0] + (lab[0] - reference) * texture
    # What is in the shade has less chroma as well.
    shade = (lightness / wanted[0].clamp(min=1.0)).clamp(0.0, 1.5)
    painted = torch.stack((lightness, wanted[1] * shade, wanted[2] * shade))
    return torch.lerp(rgb, lab_to_rgb(painted), amount)


def statistics(colours: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of (3, ...) colours, with weights (...) or without."""
    flat = colours.reshape(3, -1).double()
    weight = torch.ones_like(flat[0]) if weights is None else weights.reshape(-1).double()
    weight = weight / weight.sum().clamp(min=1e-9)
    mean = (flat * weight).sum(1)
    apart = flat - mean[:, None]
    return mean, (apart * weight) @ apart.T


def color_match(source: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The affine map (3, 3), (3,) float32 that gives colours with the source's ``statistics`` the target's, and moves each as
    little as can be: x becomes matrix @ x + offset.

    Source: Pitié, Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", 2007.
    """
    (mean, covariance), (wanted_mean, wanted) = source, target
    regular = torch.eye(3, dtype=mean.dtype, device=mean.device) * REGULAR
    root = _root(covariance + regular)
    inverse = torch.linalg.inv(root)
    matrix = inverse @ _root(root @ (wanted + regular) @ root) @ inverse
    return matrix.float(), (wanted_mean - matrix @ mean).float()


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
