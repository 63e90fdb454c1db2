"""Portraits for tests, out of footage, as a page sends them."""

from __future__ import annotations

import base64
import struct
import zlib

import torch
from torch import Tensor

from tests.footage import clip, frames
from transforms.portraits.portrait import DATA_URL

CUTS = {"protagonist": (640, 0, 1100, 460), "talkingface": (120, 40, 640, 560), "astronaut": (90, 0, 350, 260)}
"""Left, top, right and bottom of the head in the first frames."""


def rgb_of(name: str, number: int = 0) -> Tensor:
    """(3, h, w) RGB: the head in a frame of a clip."""
    *_, frame = frames(clip(name), number + 1)
    left, top, right, bottom = CUTS.get(name, (0, 0, frame.width, frame.height))
    return frame.rgb()[:, top:bottom, left:right]


def png_of(rgb: Tensor) -> bytes:
    """(3, H, W) RGB in [0, 1] as an 8-bit PNG file."""
    height, width = rgb.shape[1:]
    rows = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).reshape(height, -1).numpy()
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def url_of(rgb: Tensor) -> str:
    return DATA_URL + base64.b64encode(png_of(rgb)).decode()


def made_smaller(rgb: Tensor, most: int = 320) -> Tensor:
    """So that its PNG fits into a setting."""
    scale = min(1.0, most / max(rgb.shape[1:]))
    return torch.nn.functional.interpolate(rgb[None], scale_factor=scale, mode="bilinear", antialias=True)[0]
