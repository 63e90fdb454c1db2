"""A small picture of what a stream shows now, for those who look after many."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from PIL import Image

from transforms.color import yuv444_to_rgb
from transforms.frame import Frame

WIDTH = 320
"""px: a tile of a dashboard on a sharp screen."""

QUALITY = 70
"""JPEG's: 5 to 15 kB."""

FRESH = 900_000_000
"""ns for which one is given out again: dashboards ask once a second, however many there are."""


def jpeg(frame: Frame) -> bytes:
    """The frame, at most WIDTH px wide, as JPEG. Some milliseconds: not for the event loop."""
    width = min(WIDTH, frame.width)
    size = max(1, round(frame.height * width / frame.width)), width
    planes = [F.interpolate(plane.float()[None, None], size, mode="area")[0, 0] for plane in frame.planes]
    rgb = yuv444_to_rgb(torch.stack(planes), frame.color)
    pixels = rgb.mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


class Thumbnail:
    """One stream's. Lives on the loop; pictures are made in a thread, one at a time."""

    def __init__(self, shown: Callable[[], Frame | None], clock: Callable[[], int] = time.monotonic_ns) -> None:
        """``shown`` is the newest frame behind the chain, which nobody writes to any more."""
        self._shown = shown
        self._clock = clock
        self._lock = asyncio.Lock()
        self._made: bytes | None = None
        self._frame: Frame | None = None
        self._when = 0

    async def get(self) -> bytes | None:
        """JPEG; None where nothing is shown, as nothing came yet or nobody watches."""
        async with self._lock:
            frame = self._shown()
            if frame is None:
                return None
            if self._made is None or (frame is not self._frame and self._clock() - self._when >= FRESH):
                self._made = await asyncio.to_thread(jpeg, frame)
                self._frame, self._when = frame, self._clock()
            return self._made
