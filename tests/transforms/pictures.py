"""Frames made for tests."""

from __future__ import annotations

import torch

from transforms.color import Color
from transforms.frame import Frame, Planes


def noise(width: int, height: int, seed: int = 0, pts: int = 0, color: Color | None = None) -> Frame:
    """A frame of seeded noise; the planes are views with a stride, as a decoder's are."""
    generator = torch.Generator().manual_seed(seed)

    def plane(w: int, h: int) -> torch.Tensor:
        return torch.randint(0, 256, (h, w + 13), generator=generator, dtype=torch.uint8)[:, :w]

    chroma = -(-width // 2), -(-height // 2)
    return Frame(Planes(plane(width, height), plane(*chroma), plane(*chroma)), pts=pts, color=color or Color())


def flat(width: int, height: int, code: int = 128, pts: int = 0) -> Frame:
    """A frame of one grey."""
    chroma = (-(-height // 2), -(-width // 2))
    planes = Planes(
        torch.full((height, width), code, dtype=torch.uint8),
        torch.full(chroma, 128, dtype=torch.uint8),
        torch.full(chroma, 128, dtype=torch.uint8),
    )
    return Frame(planes, pts=pts)


def copied(frame: Frame) -> Planes:
    """The planes as they are now, in memory of their own."""
    return Planes(*(plane.clone() for plane in frame.planes))


def copy_at(frame: Frame, pts: int) -> Frame:
    """The same picture at another time, 90 kHz, in memory of its own."""
    return Frame(copied(frame), pts=pts, color=frame.color)


def same(one: Planes, other: Planes) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def stripes(width: int, height: int, pts: int = 0) -> Frame:
    """A frame of slanted stripes, in which nobody sees a face, and any cover shows."""
    x, y = torch.arange(width)[None], torch.arange(height)[:, None]
    frame = flat(width, height, pts=pts)
    frame.writable().y.copy_((40 + (7 * x + 3 * y) % 160).to(torch.uint8))
    return Frame(frame.planes, pts=pts)
