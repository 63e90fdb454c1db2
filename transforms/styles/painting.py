"""Whole frames as paintings, painted small and enlarged."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import rgb_to_yuv
from transforms.context import Context
from transforms.faces.sampling import shrink
from transforms.frame import Frame, Planes
from transforms.styles.painter import Painter, canvas
from transforms.styles.steadying import Steadied

PAUSE = 2.0
"""Seconds without a frame after which the last painting says nothing about the next."""

REACH = 3
"""px of the painting that count as surroundings, to each side, twice."""

LINES = {"coarse": 180, "medium": 288, "fine": 512}
"""Height of a painting by its detail, px."""


class Painting:
    """Of one stream."""

    def __init__(self, context: Context) -> None:
        self._painter = Painter(context.store, context.device)
        self._steadied = Steadied()
        self._canvas = (0, 0)

    def process(self, frame: Frame, elapsed: float, weights: list[float], detail: str, strength: float, edges: float) -> None:
        auto = "coarse" if frame.device.type == "cpu" else "fine"
        size = canvas(frame.width, frame.height, LINES[auto if detail == "auto" else detail])
        if size != self._canvas or not 0 <= elapsed <= PAUSE:
            self._canvas = size
            self._painter.forget()
            self._steadied = Steadied()
            elapsed = 0.0
        small = shrink(frame, frame.box.on_chroma_grid(frame.width, frame.height), *size)
        painted = self._steadied(small, self._painter(small, weights, elapsed), elapsed)
        if strength > 0:
            frame.replace(enlarged(frame, small, painted, strength, edges))


def enlarged(frame: Frame, small: Tensor, painted: Tensor, strength: float, edges: float) -> Planes:
    """Planes with a painting of ``small``, (3, h, w) both, over the frame's by ``strength``; with ``edges`` of the frame's luma
    where it differs from its surroundings: what is too small for a brush, and what makes a face a face."""
    before, (y, u, v) = _surroundings(rgb_to_yuv(small, frame.color)[0].float()), rgb_to_yuv(painted, frame.color)
    luma, *chroma = frame.planes
    # What is added to the frame's own luma is small, so that only one picture has to be enlarged.
    added = _larger((y.float() - edges * before) * strength, luma, "bicubic")
    new_y = added.add_(luma, alpha=1 - strength + strength * edges)
    new = [
        _larger(plane.float() * strength, old, "bilinear").add_(old, alpha=1 - strength)
        for plane, old in zip((u, v), chroma, strict=True)
    ]
    return Planes(*(plane.add_(0.5).clamp_(0, 255).to(torch.int16).to(torch.uint8) for plane in (new_y, *new)))


def _surroundings(luma: Tensor) -> Tensor:
    for _ in range(2):
        luma = F.avg_pool2d(F.pad(luma[None, None], (REACH,) * 4, mode="replicate"), 2 * REACH + 1, 1)[0, 0]
    return luma


def _larger(plane: Tensor, like: Tensor, mode: str) -> Tensor:
    return F.interpolate(plane[None, None], size=like.shape, mode=mode, align_corners=False)[0, 0]
