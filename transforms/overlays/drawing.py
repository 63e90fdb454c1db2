"""The stickers that are built in, drawn by code: vector shapes at three times their size, then made smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from torch import Tensor

from transforms.overlays.text import rgba

DENSITY = 40
"""px of a cm: a face of 600 px has as many."""

FINER = 3
"""Times that, while it is drawn, so that edges are soft."""

Point = tuple[float, float]


class Sheet:
    """A picture with transparency, measured in cm from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self._cm = DENSITY * FINER
        self.size = (round(width * DENSITY), round(height * DENSITY))
        self.image = Image.new("RGBA", (self.size[0] * FINER, self.size[1] * FINER))

    def mask(self, draw: Callable[[ImageDraw.ImageDraw, Callable[[Point], Point]], None], soft: float = 0.0) -> Image.Image:
        """What ``draw`` fills with 255, its edge blurred by so many cm."""
        made = Image.new("L", self.image.size)
        draw(ImageDraw.Draw(made), lambda point: (point[0] * self._cm, point[1] * self._cm))
        return made.filter(ImageFilter.GaussianBlur(soft * self._cm)) if soft else made

    def polygon(self, points: Sequence[Point], soft: float = 0.0) -> Image.Image:
        return self.mask(lambda draw, px: draw.polygon([px(point) for point in points], fill=255), soft)

    def paint(self, mask: Image.Image, top: str, bottom: str | None = None, opacity: float = 1.0) -> None:
        """Fills the mask by a colour, or by a gradient from top to bottom of what it covers."""
        around = mask.getbbox() or (0, 0, 1, 1)
        layer = Image.new("RGBA", self.image.size, top)
        if bottom is not None:
            strip = Image.linear_gradient("L").resize((around[2] - around[0], around[3] - around[1]))
            layer.paste(Image.new("RGBA", strip.size, bottom), around[:2], strip)
        layer.putalpha(mask.point(lambda value: round(value * opacity)))
        self.image.alpha_composite(layer)

    def picture(self) -> Tensor:
        return rgba(self.image.resize(self.size, Image.Resampling.LANCZOS))


def smooth(points: Sequence[Point], steps: int = 12) -> list[Point]:
    """A closed curve through the points (Catmull and Rom, 1974)."""
    p = np.asarray(points)
    a, b, c, d = (np.roll(p, shift, 0)[:, None] for shift in (1, 0, -1, -2))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - 3 * c + d - a) * t**3)
    return [(float(x), float(y)) for x, y in curve.reshape(-1, 2)]


def flipped(points: Sequence[Point], width: float) -> list[Point]:
    return [(width - x, y) for x, y in points]


GLASSES = (15.2, 5.8)
"""cm: width and height of the sheet that the front of a pair of glasses is drawn on, hinges included."""


def glasses(dark: bool) -> Tensor:
    """The front of round reading glasses, or of sunglasses."""
    width, height = GLASSES
    sheet = Sheet(width, height)
    if dark:
        outline = smooth([(1.0, 0.75), (3.6, 0.55), (6.3, 0.8), (6.75, 1.9), (6.1, 3.9), (4.2, 5.1), (2.1, 4.7), (0.9, 2.9)])
    else:
        angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        outline = [(4.0 + 2.75 * float(np.cos(a)), 2.85 + 2.5 * float(np.sin(a))) for a in angle]
    middle = np.mean(np.asarray(outline), 0)
    rim = 0.86 if dark else 0.9
    inner = [(float(middle[0] + (x - middle[0]) * rim), float(middle[1] + (y - middle[1]) * rim)) for x, y in outline]
    frame = Image.new("L", sheet.image.size)
    lenses = Image.new("L", sheet.image.size)
    shine = Image.new("L", sheet.image.size)
    bar = [(middle[0] - 2.1, 4.6), (middle[0] - 0.9, 4.6), (middle[0] + 1.2, 0.6), (middle[0] + 0.0, 0.6)]
    thin = [(middle[0] - 0.55, 4.6), (middle[0] - 0.2, 4.6), (middle[0] + 1.9, 0.6), (middle[0] + 1.55, 0.6)]
    for side in (outline, flipped(outline, width)):
        frame = ImageChops.lighter(frame, sheet.polygon(side))
    for side in (inner, flipped(inner, width)):
        lenses = ImageChops.lighter(lenses, sheet.polygon(side))
    for offset in (0.0, width - 2 * float(middle[0])):
        for band in (bar, thin):
            shine = ImageChops.lighter(shine, sheet.polygon([(x + offset, y) for x, y in band], 0.05))
    frame = ImageChops.subtract(frame, lenses)
    bridge = [(6.2, 1.9), (7.0, 1.35), (8.2, 1.35), (9.0, 1.9), (8.9, 2.4), (8.2, 1.85), (7.0, 1.85), (6.3, 2.4)]
    hinge = [(0.15, 1.35), (1.6, 1.25), (1.6, 2.2), (0.15, 2.0)]
    for part in (bridge, hinge, flipped(hinge, width)):
        frame = ImageChops.lighter(frame, ImageChops.subtract(sheet.polygon(part), lenses))
    if dark:
        sheet.paint(lenses, "#0b0e14", "#39424f", 0.93)
        sheet.paint(ImageChops.multiply(shine, lenses), "#dfe9f5", opacity=0.16)
        sheet.paint(frame, "#26282d", "#08090b")
    else:
        sheet.paint(lenses, "#d8ecff", opacity=0.1)
        sheet.paint(ImageChops.multiply(shine, lenses), "#ffffff", opacity=0.2)
        sheet.paint(frame, "#7a4a26", "#3a1f0e")
    # Light from above along the upper edge of the frame.
    edge = ImageChops.subtract(frame, ImageChops.offset(frame, 0, round(0.07 * DENSITY * FINER)))
    sheet.paint(edge, "#ffffff", opacity=0.35)
    return sheet.picture()


ARM = (9.5, 0.85)
"""cm: length and height of the arm of a pair of glasses."""


def arm(dark: bool) -> Tensor:
    """From the hinge, at the left, to behind the ear, where hair is over it."""
    length, height = ARM
    sheet = Sheet(length, height)
    sheet.paint(
        sheet.polygon([(0, 0.05), (length, 0.25), (length, 0.65), (0, 0.8)]),
        *(("#26282d", "#0b0c0f") if dark else ("#7a4a26", "#3a1f0e")),
    )
    picture = sheet.picture()
    picture[3] *= ((1 - torch.linspace(0, 1, picture.shape[2])) / 0.45).clamp(max=1.0)
    return picture


MOUSTACHE = (9.6, 2.6)
"""cm of its sheet."""


def moustache() -> Tensor:
    width, height = MOUSTACHE
    half = [
        (4.8, 0.45),
        (5.6, 0.2),
        (6.9, 0.5),
        (8.0, 1.05),
        (8.8, 0.95),
        (9.3, 0.2),
        (9.25, 1.2),
        (8.5, 1.95),
        (7.2, 2.2),
        (5.9, 1.95),
        (5.1, 1.45),
        (4.8, 1.3),
    ]
    sheet = Sheet(width, height)
    shape = ImageChops.lighter(sheet.polygon(smooth(half), 0.03), sheet.polygon(smooth(flipped(half, width)), 0.03))
    sheet.paint(shape, "#4a2d18", "#1d0f07")
    hair = np.random.default_rng(7)
    strands: dict[str, Image.Image] = {}
    for colour in ("#8a5c36", "#120904", "#6d4526"):
        starts = hair.uniform((0, 0.1), (4.2, 1.9), (170, 2))

        def strand(draw: ImageDraw.ImageDraw, px: Callable[[Point], Point], starts: np.ndarray = starts) -> None:
            for out, y in starts:
                bow = [(out + 1.1 * t, y + 0.5 * t - 0.55 * (out / 4.2) * t * t) for t in np.linspace(0, 1, 8)]
                for sign in (1, -1):
                    draw.line([px((width / 2 + sign * x, y)) for x, y in bow], fill=255, width=3)

        strands[colour] = sheet.mask(strand, 0.008)
    for colour, mask in strands.items():
        sheet.paint(ImageChops.multiply(mask, shape), colour, opacity=0.55)
    return sheet.picture()


def ball() -> Tensor:
    """A red nose."""
    size = 5.0
    sheet = Sheet(size, size)
    sheet.paint(sheet.mask(lambda draw, px: draw.ellipse((*px((0.15, 0.15)), *px((4.85, 4.85))), fill=255)), "#e8262b", "#7c060c")
    sheet.paint(
        sheet.mask(lambda draw, px: draw.ellipse((*px((0.7, 0.6)), *px((3.6, 3.3))), fill=255), 0.45), "#ff6a63", opacity=0.75
    )
    sheet.paint(
        sheet.mask(lambda draw, px: draw.ellipse((*px((1.3, 0.9)), *px((2.3, 1.6))), fill=255), 0.15), "#ffffff", opacity=0.85
    )
    return sheet.picture()


FELT, LINING = "#2a2c33", "#15161a"


def crown() -> Tensor:
    """The side of a top hat, 16 cm by 11, its band at the lower end."""
    width, height = 16.0, 11.0
    sheet = Sheet(width, height)
    side = [(0.0, 0.0), (width, 0.0), (15.5, 5.5), (width - 0.2, height), (0.2, height), (0.5, 5.5)]
    felt = sheet.polygon([(x, y) for x, y in side])
    sheet.paint(felt, FELT, "#1c1d22")
    band = ImageChops.multiply(felt, sheet.polygon([(0, 8.6), (width, 8.6), (width, height), (0, height)]))
    sheet.paint(band, "#b3202c", "#8c1620")
    picture = sheet.picture()
    # A cylinder in a soft light from the upper left.
    across = torch.linspace(-1, 1, picture.shape[2])
    light = 0.55 + 0.45 * (1 - (across + 0.35).square() / 1.83).clamp(min=0) + 0.5 * torch.exp(-((across + 0.45) / 0.16).square())
    picture[:3] = (picture[:3] * light).clamp(max=1.0)
    return picture


def disc(hole: float = 0.0) -> Tensor:
    """A round of felt, seen from above; or from below, near side up, where a head with that share of its radius is in front."""
    size, middle = 10.0, 5.0
    sheet = Sheet(size, size)
    whole = sheet.mask(lambda draw, px: draw.ellipse((*px((0.02, 0.02)), *px((9.98, 9.98))), fill=255))
    edge = sheet.mask(lambda draw, px: draw.ellipse((*px((0.12, 0.12)), *px((9.88, 9.88))), outline=255, width=14), 0.05)
    if hole:
        low, high = middle * (1 - hole), middle * (1 + hole)

        def head(draw: ImageDraw.ImageDraw, px: Callable[[Point], Point]) -> None:
            draw.ellipse((*px((low, low)), *px((high, high))), fill=255)
            draw.rectangle((*px((low, middle)), *px((high, size))), fill=255)

        cut = sheet.mask(head)
        whole, edge = ImageChops.subtract(whole, cut), ImageChops.subtract(edge, cut)
    sheet.paint(whole, LINING if hole else "#3a3d46")
    sheet.paint(edge, "#2d2f36" if hole else "#5a5e6a", opacity=0.8)
    return sheet.picture()
