"""Reads PNG pictures of a bounded size: 8 bits a sample, without interlacing, which is what a browser's canvas writes.

Source: Portable Network Graphics, third edition (W3C). Nothing but the standard library and numpy is needed.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIGNATURE = b"\x89PNG\r\n\x1a\n"

MAX_WIDTH, MAX_HEIGHT = 1920, 1080
"""Pixels: more than a background behind somebody shows, and 8 MB unpacked."""

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples of a pixel by colour type: grey, RGB, grey with alpha, RGB with alpha (section 11.2.1)."""


class Header(NamedTuple):
    width: int
    height: int
    channels: int


def header(data: bytes) -> Header:
    """The header of a PNG that ``decode`` can read. Raises ValueError with a sentence that says what to do."""
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        raise ValueError("it is no PNG picture; save it as one")
    width, height, depth, kind, packing, filtering, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if not (0 < width <= MAX_WIDTH and 0 < height <= MAX_HEIGHT):
        raise ValueError(f"the picture is {width}x{height}; make it at most {MAX_WIDTH}x{MAX_HEIGHT}")
    if depth != 8 or kind not in _CHANNELS or packing or filtering or interlaced:
        raise ValueError("save the picture as PNG with 8 bits a colour, without a palette and without interlacing")
    return Header(width, height, _CHANNELS[kind])


def decode(data: bytes) -> Tensor:
    """(3, height, width) RGB float32 in [0, 1]; what is transparent shows black. Raises ValueError as ``header`` does."""
    rgba = decode_rgba(data)
    return rgba[:3] * rgba[3:]


def decode_rgba(data: bytes) -> Tensor:
    """(4, height, width) RGB and opacity, float32 in [0, 1]. Raises ValueError as ``header`` does."""
    width, height, channels = header(data)
    row = 1 + width * channels
    unpacker = zlib.decompressobj()
    # One byte more than there should be, so that a bomb is noticed and never unpacked.
    try:
        raw = unpacker.decompress(_image_data(data), height * row + 1)
    except zlib.error as error:
        raise ValueError(f"the PNG picture is damaged: {error}") from error
    if len(raw) != height * row:
        raise ValueError("the PNG picture is damaged: it has more or fewer pixels than its header says")
    lines = np.frombuffer(raw, np.uint8).reshape(height, row)
    samples = _unfilter(lines[:, 0], lines[:, 1:].reshape(height, width, channels))
    picture = torch.from_numpy(samples).permute(2, 0, 1).float() / 255
    opaque = channels % 2 == 1
    colors = picture if opaque else picture[:-1]
    alpha = torch.ones_like(picture[:1]) if opaque else picture[-1:]
    return torch.cat((colors.expand(3, height, width), alpha))


def _image_data(data: bytes) -> bytes:
    """All IDAT chunks (section 11.2.3)."""
    parts = []
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        elif kind == b"IEND":
            break
        at += 12 + length
    return b"".join(parts)


def _unfilter(filters: NDArray[np.uint8], lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Section 9.2. A pixel depends on those left, above and left above, so a whole anti-diagonal is done at once."""
    if filters.max(initial=0) > 4:
        raise ValueError("the PNG picture is damaged: it has a filter that does not exist")
    height, width, channels = lines.shape
    # With a row above and a column to the left, both zero; in flat memory a diagonal is every (width)-th pixel.
    out = np.zeros((height + 1, width + 1, channels), np.uint8)
    out[1:, 1:] = lines
    flat = out.reshape(-1, channels)
    for diagonal in range(height + width - 1):
        first, last = max(0, diagonal - width + 1), min(height, diagonal + 1)
        at = np.arange(first, last)
        here = (at + 1) * (width + 1) + diagonal - at + 1
        left, above, corner = (flat[here - step].astype(np.int16) for step in (1, width + 1, width + 2))
        kind = filters[first:last, None]
        flat[here] += _predict(kind, left, above, corner).astype(np.uint8)
    return np.ascontiguousarray(out[1:, 1:])


def _predict(
    kind: NDArray[np.uint8], left: NDArray[np.int16], above: NDArray[np.int16], corner: NDArray[np.int16]
) -> NDArray[np.int16]:
    """What each pixel was stored as a difference from: nothing, left, above, their mean, or Paeth's choice."""
    to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    paeth = np.where((to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner))
    return np.select([kind == 1, kind == 2, kind == 3, kind == 4], [left, above, (left + above) >> 1, paeth], 0)
