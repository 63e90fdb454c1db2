from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from transforms import png


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int = 8, kind: int = 2, interlaced: int = 0) -> bytes:
    return png.SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))


def encode(samples: np.ndarray, filters: list[int]) -> bytes:
    """A PNG whose rows are filtered as told, one byte after the other, straight from the specification."""
    height, width, channels = samples.shape
    raw = bytearray()
    for row in range(height):
        kind = filters[row % len(filters)]
        raw.append(kind)
        for at in range(width * channels):
            line = samples[row].ravel()
            above_line = samples[row - 1].ravel() if row else np.zeros_like(line)
            left = int(line[at - channels]) if at >= channels else 0
            above = int(above_line[at])
            corner = int(above_line[at - channels]) if at >= channels else 0
            guess = left + above - corner
            nearest = min((left, above, corner), key=lambda value: abs(guess - value))
            raw.append((int(line[at]) - [0, left, above, (left + above) // 2, nearest][kind]) % 256)
    packed = zlib.compress(bytes(raw))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    half = len(packed) // 2
    return header(width, height, kind=kind) + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:]) + chunk(b"IEND", b"")


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 1, 3, 0, 2, 4]])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (13, 8)])
def test_every_filter_is_undone(filters: list[int], size: tuple[int, int]) -> None:
    samples = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    picture = png.decode(encode(samples, filters))
    assert picture.dtype == torch.float32
    assert np.array_equal((picture * 255).round().byte().permute(1, 2, 0).numpy(), samples)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_what_pillow_writes_is_read_as_pillow_reads_it(mode: str) -> None:
    smooth = np.add.outer(np.arange(40), np.arange(60))[..., None] * [1, 2, 3, 4] % 256
    samples = smooth.astype(np.uint8)[..., : len(mode)]
    original = Image.fromarray(samples.squeeze(-1) if mode == "L" else samples, mode=None)
    file = io.BytesIO()
    original.save(file, "png")
    picture = png.decode(file.getvalue())
    assert picture.shape == (3, 40, 60)
    shown = Image.alpha_composite(Image.new("RGBA", (60, 40), (0, 0, 0, 255)), original.convert("RGBA")).convert("RGB")
    assert np.abs((picture * 255).permute(1, 2, 0).numpy() - np.asarray(shown)).max() <= 1


GOOD = encode(np.zeros((4, 4, 3), np.uint8), [0])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no PNG"),
        (b"\xff\xd8\xff" + bytes(100), "no PNG"),
        (GOOD[:20], "no PNG"),
        (header(100_000, 4), "at most 1920x1080"),
        (header(0, 4), "at most 1920x1080"),
        (header(4, 4, depth=16), "8 bits"),
        (header(4, 4, kind=3), "palette"),
        (header(4, 4, interlaced=1), "interlacing"),
        (header(4, 4), "damaged"),
        (GOOD[:-30], "damaged"),
        (header(4, 4) + chunk(b"IDAT", zlib.compress(bytes(1000))), "damaged"),
        (header(4, 4) + chunk(b"IDAT", zlib.compress(bytes(10_000_000))), "damaged"),
        (header(4, 4) + chunk(b"IDAT", zlib.compress(b"\x09" * 52)), "filter"),
        (header(4, 4) + chunk(b"IDAT", b"nothing"), "damaged"),
        (header(4, 4) + struct.pack(">I", 2**31) + b"IDAT" + b"short", "damaged"),
    ],
)
def test_anything_else_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        png.decode(data)
