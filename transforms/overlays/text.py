"""Text as a picture with transparency."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from transforms.people.room import rgb_of

WIDER = "DejaVuSans.ttf"
"""Of the system, for what Pillow's own font, which knows ASCII, lacks."""

OUTLINE = 0.07
"""Width of the dark edge around letters, by the font's size, so that they can be read on anything."""

PLATE = 0.35, 0.22, 0.3
"""Room around the text on its plate, beside and above it, and the radius of its corners, by the font's size."""

Font = ImageFont.FreeTypeFont


def font_for(text: str, size: int) -> Font:
    """A font that has every character. Raises ValueError with a sentence that says what to do."""
    if text.isascii():
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise ValueError("Pillow was built without FreeType; install its wheel")
        return font
    try:
        font = ImageFont.truetype(WIDER, size)
    except OSError:
        raise ValueError("install the DejaVu fonts for text beyond ASCII (Debian: apt-get install fonts-dejavu-core)") from None
    missing = bytes(font.getmask("\uffff"))
    lacking = sorted({letter for letter in text if not letter.isspace() and bytes(font.getmask(letter)) == missing})
    if lacking:
        raise ValueError(f"the font lacks {' '.join(lacking[:10])}; write the text without")
    return font


def picture(text: str, size: int, widest: int, color: str, plate: float) -> Tensor:
    """(4, h, w) RGBA in [0, 1]: the text in lines of at most ``widest`` px, on a dark plate of that opacity."""
    font = font_for(text, size)
    lines = "\n".join(_wrapped(line, font, widest) for line in text.splitlines())
    stroke = max(1, round(size * OUTLINE))
    measure = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = measure.multiline_textbbox((0, 0), lines, font, stroke_width=stroke, align="center")
    # Lines without letters that reach below are as high as others, so that the plate does not jump with what is written.
    bottom = max(bottom, top + sum(font.getmetrics()))
    beside, above, radius = (round(part * size) for part in PLATE)
    width, height = int(right - left) + 2 * beside, int(bottom - top) + 2 * above
    sheet = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(sheet)
    if plate > 0:
        draw.rounded_rectangle((0, 0, width - 1, height - 1), radius, (12, 14, 18, round(255 * plate)))
    letters = Image.new("RGBA", (width, height))
    ink = tuple(round(255 * channel) for channel in rgb_of(color))
    ImageDraw.Draw(letters).multiline_text(
        (beside - left, above - top),
        lines,
        ink,
        font,
        stroke_width=stroke,
        stroke_fill=(0, 0, 0, round(255 * (1 - plate) * 0.8)),
        align="center",
    )
    sheet.alpha_composite(letters)
    return rgba(sheet)


def rgba(image: Image.Image) -> Tensor:
    """(4, h, w) in [0, 1] of a Pillow picture."""
    return torch.from_numpy(np.asarray(image.convert("RGBA")).copy()).permute(2, 0, 1).float() / 255


def _wrapped(line: str, font: Font, widest: int) -> str:
    """Broken between words; a word that is wider stays whole."""
    rows: list[str] = []
    for word in line.split(" "):
        if rows and font.getlength(f"{rows[-1]} {word}") <= widest:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    return "\n".join(rows)
