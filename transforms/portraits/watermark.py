"""Says of a picture that a face in it was changed: to eyes by a sign in its corner, to programs by a faint pattern.

The pattern is a spread-spectrum mark (Cox et al., "Secure spread spectrum watermarking for multimedia", 1997): blobs of a
sixtieth of the picture's height, brighter or darker by ``AMPLITUDE`` codes of luma as a fixed pseudo-random sequence says. It
lies still over the picture, so codecs carry it along at low bitrates, and it survives a change of size; it does not survive
being cropped, turned or mirrored, and it names nobody.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import Color
from transforms.frame import Frame
from transforms.overlays.sprite import Drawing, Place, Sprite, lay

Kind = Literal["none", "visible", "invisible"]

ROWS = 60
"""Blobs from top to bottom: 12 px at 720p, large enough for a codec to keep and small enough for there to be many."""

MOST_COLUMNS = 240
"""Blobs across, of the widest picture."""

AMPLITUDE = 2.0
"""Codes of luma: half of what is seen on an even wall."""

SEED = 20261124
"""Of the sequence. Who knows it can find the pattern, and could take it out."""

SURPRISE = 6.0
"""Codes to which a blob's difference from its neighbours is cut before it is compared: edges must not outvote the rest."""

FOUND = 6.0
"""Score from which the pattern is there; footage without it stays within 4."""

EASING = 0.12
"""Seconds in which a change of the kind has come 63 % of its way."""

TEXT, HEIGHT, MARGIN = "AI face", 0.03, 0.02
"""What the visible sign says, and its height and distance from the corner, by the picture's height."""

SMALLEST_SIGN = 9
"""px: smaller letters cannot be read."""

LEAST_SIDE = 2 * ROWS
"""px of a picture's height below which a blob would be a single pixel, and no codec would keep it."""


class Watermark:
    """One stream's."""

    def __init__(self, kind: Kind) -> None:
        self._weights = {"visible": float(kind == "visible"), "invisible": float(kind == "invisible")}
        self._sign: tuple[object, Sprite] | None = None

    def mark(self, frame: Frame, kind: Kind, shown: float, elapsed: float) -> None:
        """Writes into the frame's planes. ``shown`` is how much of a portrait is to be seen, 0 to 1: without it, no mark."""
        share = 1 - math.exp(-max(0.0, elapsed) / EASING)
        for name, weight in self._weights.items():
            goal = float(name == kind)
            self._weights[name] = goal if abs(goal - weight) < 0.01 else weight + share * (goal - weight)
        # A portrait of which little is seen is marked as clearly as one of which all is.
        strength = min(1.0, 4 * shown)
        if self._weights["invisible"] * strength > 0:
            imprint(frame, self._weights["invisible"] * strength)
        if self._weights["visible"] * strength > 0:
            self._write(frame, self._weights["visible"] * strength)

    def _write(self, frame: Frame, opacity: float) -> None:
        size = max(SMALLEST_SIGN, round(HEIGHT * frame.height))
        key = (size, frame.width, frame.color, frame.device)
        if self._sign is None or self._sign[0] != key:
            from transforms.overlays import text

            self._sign = key, Sprite(text.picture(TEXT, size, frame.width, "#ffffff", 0.55), frame.color, frame.device)
        sprite = self._sign[1]
        (width, height), margin = sprite.size, MARGIN * frame.height
        left = round(max(0.0, frame.width - width - margin))
        top = round(max(0.0, frame.height - height - margin))
        lay(frame, [Drawing(sprite, Place((left, top), (width, 0.0), (0.0, height)), opacity)])


def imprint(frame: Frame, strength: float = 1.0) -> None:
    """Adds the pattern to the luma. Pictures less than ``LEAST_SIDE`` high or wide are left alone."""
    if min(frame.width, frame.height) < LEAST_SIDE:
        return
    # In sixteenths, so that few patterns are made while it fades.
    pattern = _pattern(frame.width, frame.height, round(16 * strength), frame.device)
    luma = frame.writable().y
    luma.copy_(luma.to(torch.int16).add_(pattern).clamp_(0, 255))


def score(lumas: list[Tensor], color: Color | None = None) -> float:
    """How surely pictures of one stream, uint8 luma (H, W) each, carry the pattern: about 0 ± 1 without it; see ``FOUND``.

    One picture will often do; some dozen of a moving scene are safer.
    """
    if not lumas:
        return 0.0
    grid = _signs(lumas[0].shape[1] / lumas[0].shape[0], lumas[0].device)
    apart = torch.stack([_residue(luma, tuple(grid.shape)) for luma in lumas]).mean(0)
    wanted = _detail(grid)
    noise = (apart * wanted).square().sum().sqrt()
    return float((apart * wanted).sum() / noise.clamp(min=1e-6))


def _residue(luma: Tensor, size: tuple[int, ...]) -> Tensor:
    cells = F.interpolate(luma[None, None].float(), size=size, mode="area")[0, 0]
    return _detail(cells).clamp(-SURPRISE, SURPRISE)


def _detail(cells: Tensor) -> Tensor:
    """Each cell without the mean of its eight neighbours."""
    padded = F.pad(cells[None, None], (1, 1, 1, 1), mode="replicate")
    return cells - (F.avg_pool2d(padded, 3, 1)[0, 0] * 9 - cells) / 8


def _signs(aspect: float, device: torch.device) -> Tensor:
    """(ROWS, columns) of 1 and -1."""
    generator = torch.Generator().manual_seed(SEED)
    columns = min(MOST_COLUMNS, max(1, round(ROWS * aspect)))
    every = torch.randint(0, 2, (ROWS, MOST_COLUMNS), generator=generator) * 2.0 - 1
    return every[:, :columns].to(device)


@lru_cache(maxsize=32)
def _pattern(width: int, height: int, sixteenths: int, device: torch.device) -> Tensor:
    """(H, W) int16 codes."""
    signs = _signs(width / height, device)
    soft = F.interpolate(signs[None, None], size=(height, width), mode="bilinear", align_corners=False)[0, 0]
    # Blobs with soft edges: blocks would be seen.
    return ((soft * 1.6).clamp(-1, 1) * (AMPLITUDE * sixteenths / 16)).round().to(torch.int16)
