"""Colour of 4:2:0 video as ITU-T H.273 code points, and its conversion to and from RGB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

UNSPECIFIED = 2
"""H.273 code point for "unspecified", shared by primaries, transfer and matrix."""

BT601 = 6
"""H.273 code point of SMPTE 170M, which is BT.601 for 525 lines: as primaries, as transfer and as matrix."""

_LUMA_WEIGHTS = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""(Kr, Kb) by matrix code point; everything else is BT.601, which WebRTC assumes where nothing is signalled."""

_BT601 = (0.299, 0.114)


@dataclass(frozen=True, slots=True)
class Color:
    """What a stream signals of its colour: H.273 code points, and whether the range is full.

    ``full_range`` is None where the stream says nothing, which means limited (luma 16-235, chroma 16-240).
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full_range: bool | None = None

    @property
    def luma_weights(self) -> tuple[float, float]:
        """(Kr, Kb) of the matrix, H.273 section 8.3."""
        return _LUMA_WEIGHTS.get(self.matrix, _BT601)

    @property
    def black(self) -> int:
        """The luma code of black, 0-255."""
        return 0 if self.full_range else 16


@lru_cache(maxsize=32)
def _coefficients(color: Color, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Matrices and offsets both ways, between YUV codes 0-255 and RGB in [0, 1]."""
    kr, kb = color.luma_weights
    kg = 1.0 - kr - kb
    luma_scale, chroma_scale = (255.0, 255.0) if color.full_range else (219.0, 224.0)
    offset = torch.tensor([float(color.black), 128.0, 128.0], dtype=torch.float64)
    to_yuv = torch.tensor(
        [
            [kr, kg, kb],
            [-kr / (2 * (1 - kb)), -kg / (2 * (1 - kb)), 0.5],
            [0.5, -kg / (2 * (1 - kr)), -kb / (2 * (1 - kr))],
        ],
        dtype=torch.float64,
    ) * torch.tensor([[luma_scale], [chroma_scale], [chroma_scale]], dtype=torch.float64)
    to_rgb = torch.linalg.inv(to_yuv)

    def place(tensor: Tensor) -> Tensor:
        return tensor.to(device=device, dtype=torch.float32)

    return place(to_rgb), place(-to_rgb @ offset), place(to_yuv), place(offset)


def yuv_to_rgb(y: Tensor, u: Tensor, v: Tensor, color: Color) -> Tensor:
    """(H, W) luma and two (ceil(H/2), ceil(W/2)) chroma planes, codes 0-255 of any dtype, to (3, H, W) RGB float32 in [0, 1]."""
    height, width = y.shape
    chroma = torch.stack((u, v)).float()[None]
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)[0, :, :height, :width]
    return yuv444_to_rgb(torch.cat((y.float()[None], chroma)), color)


def yuv444_to_rgb(yuv: Tensor, color: Color) -> Tensor:
    """(3, ...) YUV codes 0-255 float32, chroma at full resolution, to RGB in [0, 1] of the same shape."""
    to_rgb, bias, _, _ = _coefficients(color, yuv.device)
    flat = yuv.reshape(3, -1)
    return torch.addmm(bias[:, None], to_rgb, flat).clamp_(0.0, 1.0).reshape(yuv.shape)


def rgb_to_yuv444(rgb: Tensor, color: Color) -> Tensor:
    """(3, ...) RGB to YUV codes float32 of the same shape, neither rounded nor clamped."""
    _, _, to_yuv, offset = _coefficients(color, rgb.device)
    return torch.addmm(offset[:, None], to_yuv, rgb.reshape(3, -1)).reshape(rgb.shape)


def rgb_to_yuv(rgb: Tensor, color: Color) -> tuple[Tensor, Tensor, Tensor]:
    """(3, H, W) RGB in [0, 1], H and W even, to 8-bit planes (H, W), (H/2, W/2), (H/2, W/2), chroma averaged over 2x2."""
    yuv = rgb_to_yuv444(rgb, color)
    chroma = F.avg_pool2d(yuv[1:][None], 2)[0]
    y, uv = (plane.round_().clamp_(0, 255).to(torch.uint8) for plane in (yuv[0], chroma))
    return y, uv[0], uv[1]
