"""Makes the gallery: what every transform does to one portrait, as stills and as loops (``make gallery``).

Writes docs/gallery.md, docs/images/gallery/ and docs/images/gallery.jpg. The portrait is NASA's of Eileen Collins, in the public
domain, as scikit-image carries it; in the loops it is moved by code. A transform that is not in ``EXAMPLES`` is shown with its
default settings.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from transforms import registry
from transforms.chain import Chain, Step
from transforms.color import Color, rgb_to_yuv
from transforms.context import Context
from transforms.errors import ModelError, TransformError
from transforms.frame import Frame, Planes
from transforms.models.carrier import read_member
from transforms.models.store import Store, default_root

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"

PORTRAIT = "skimage/data/astronaut.png"
PORTRAIT_SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
PORTRAIT_SIZE = 791_555

CUT = (40, 0, 400, 360)
"""Of the portrait: head and shoulders."""

SIDE = 720
"""px of it as it is transformed: twice what it has, so that edges are drawn finer than the portrait's pixels."""

STILL = 480
"""px: side of each of the two pictures of a still."""

QUALITY = 88
"""Of a JPEG: no blocks to be seen, and a quarter of a PNG's size."""

SETTLED = 45
"""Frames of the same picture until everything that eases has come to rest."""

FPS = 30
"""Of the portrait before a transform."""

LOOP, LOOP_FPS, LOOP_SIDE, LOOP_QUALITY = 48, 15, 320, 72
"""Frames of a loop, frames a second, px, and the quality of its WebP."""

MAX_LOOP = 1_000_000
"""Bytes of a loop: a page with a dozen of them must still open on a phone."""

ROLL, SHIFT, ZOOM = 7.0, 0.035, 0.07
"""How the portrait moves in a loop: degrees, and shares of its width."""

CELL, COLUMNS, GAP, LABEL = 236, 5, 12, 30
"""px of the sheet: side of a small picture, how many side by side, the space between, and the line of text below each."""

INK, PAPER = "#e8eaee", "#0e1014"
"""The page's own in the dark, so that the pictures of the docs are of one kind."""

Settings = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Example:
    caption: str
    settings: Settings = field(default_factory=dict)
    before: tuple[tuple[str, Settings], ...] = ()
    """What is done to the portrait first, as to a picture from a bad webcam."""


BAD_LIGHT = (("grade", {"exposure": -2.4, "temperature": 10500, "tint": 5}),)

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "anonymize": tuple(Example(style, {"style": style}) for style in ("pixelate", "blur", "solid")),
    "background": (
        Example("blur", {"style": "blur"}),
        Example("colour", {"style": "color"}),
        Example("picture", {"style": "image"}),
    ),
    "expression": (
        Example("happy", {"mood": "happy"}),
        Example("surprised", {"mood": "surprised"}),
        Example("wink", {"mood": "wink"}),
    ),
    "grade": (
        Example("teal and orange", {"look": "teal_orange", "vignette": 40}),
        Example("noir", {"look": "noir", "vignette": 50}),
        Example("film", {"look": "film", "vignette": 25}),
    ),
    # These run what a user brings.
    "onnx_face": (),
    "onnx_frame": (),
    "overlay": (
        Example("sunglasses", {"sticker": "sunglasses"}),
        Example("moustache", {"sticker": "moustache"}),
        Example("text", {"style": "text", "text": "Eileen Collins"}),
        Example("mesh", {"style": "mesh"}),
    ),
    "restore_light": (Example("dim, yellow light", {}, BAD_LIGHT),),
    "stylize": tuple(Example(style, {"style": style}) for style in ("painting", "sketch", "ink", "oil")),
}
"""Of each transform, the first as a loop too."""


def portrait() -> Image.Image:
    data = read_member("scikit-image", "0.26.0", PORTRAIT, PORTRAIT_SHA256, PORTRAIT_SIZE)
    return Image.open(io.BytesIO(data)).convert("RGB")


def cut(picture: Image.Image) -> Image.Image:
    """Head and shoulders, as they are transformed."""
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS, CUT)


def moved(picture: Image.Image, number: int) -> Image.Image:
    """The cut as a moving head would give it, at one of ``LOOP`` moments; the last is followed by the first."""
    phase = 2 * math.pi * number / LOOP
    side = CUT[2] - CUT[0]
    roll = math.radians(ROLL * math.sin(phase))
    scale = side / SIDE * (1 - ZOOM * (1 - math.cos(phase)) / 2)
    x = (CUT[0] + CUT[2]) / 2 + SHIFT * side * math.sin(phase + 0.6)
    # Around the head, and so that nothing above the portrait's edge comes into sight.
    y = 185 + SHIFT * side * (1 - math.cos(2 * phase)) / 2
    cos, sin = scale * math.cos(roll), scale * math.sin(roll)
    half = SIDE / 2
    matrix = (cos, -sin, x - half * (cos - sin), sin, cos, y - half * (sin + cos))
    wide = Image.fromarray(np.pad(np.asarray(picture), ((64, 0), (0, 0), (0, 0)), mode="reflect"))
    return wide.transform((SIDE, SIDE), Image.Transform.AFFINE, (*matrix[:5], matrix[5] + 64), Image.Resampling.BICUBIC)


def transformed(steps: Sequence[Step], pictures: Sequence[Image.Image], settle: int) -> Iterator[Image.Image]:
    """The pictures through a chain that has first seen the first one ``settle`` times.

    Raises TransformError or ModelError where a transform cannot be prepared, and SystemExit where one fails.
    """
    chain = Chain(Context(torch.device("cpu"), Store(default_root())))
    try:
        chain.swap(chain.prepare(steps))
        for number, picture in enumerate([pictures[0]] * settle + list(pictures)):
            rgb = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255
            frame = Frame(Planes(*rgb_to_yuv(rgb, Color())), pts=number, time_base=Fraction(1, FPS))
            frame = chain.process(frame)
            if failed := [report.key for report in chain.report() if report.errors]:
                raise SystemExit(f"{', '.join(failed)} failed in frame {number}")
            if number >= settle:
                yield Image.fromarray((frame.rgb().permute(1, 2, 0) * 255).round().byte().numpy())
    finally:
        chain.close()


def after(step: Sequence[Step], picture: Image.Image) -> Image.Image:
    """The picture after it has stood before a running chain for a moment."""
    return next(transformed(step, [picture], SETTLED)) if step else picture


def parsed(key: str, example: Example) -> tuple[list[Step], list[Step]]:
    """What is done before, and the example itself."""
    return [Step.parse(name, settings) for name, settings in example.before], [Step.parse(key, example.settings)]


def still(before: Image.Image, shown: Image.Image, path: Path) -> None:
    """Both side by side."""
    sheet = Image.new("RGB", (2 * STILL + GAP, STILL), PAPER)
    for number, picture in enumerate((before, shown)):
        sheet.paste(picture.resize((STILL, STILL), Image.Resampling.LANCZOS), (number * (STILL + GAP), 0))
    sheet.save(path, quality=QUALITY, optimize=True)


def loop(steps: Sequence[Step], pictures: Sequence[Image.Image], path: Path) -> None:
    """An animated WebP that begins where it ends. Raises SystemExit where it is too large."""
    # Twice through, as a person would have moved before too; what eases has come to rest in the second turn.
    shown = list(transformed(steps, [*pictures, *pictures], SETTLED))[len(pictures) :]
    small = [picture.resize((LOOP_SIDE, LOOP_SIDE), Image.Resampling.LANCZOS) for picture in shown]
    small[0].save(path, save_all=True, append_images=small[1:], duration=1000 // LOOP_FPS, loop=0, quality=LOOP_QUALITY, method=4)
    if path.stat().st_size > MAX_LOOP:
        raise SystemExit(f"{path.name} has {path.stat().st_size} bytes; fewer frames or less quality is needed")


def sheet(picture: Image.Image, cells: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """The portrait large at the left, what the transforms make of it at the right and below."""
    row = CELL + LABEL
    large = 2 * row - LABEL + GAP
    columns = min(COLUMNS, max(1, len(cells)))
    places = [(2 * GAP + large + i * (CELL + GAP), GAP + j * (row + GAP)) for j in range(2) for i in range(columns)]
    per_row = (large + GAP + columns * (CELL + GAP)) // (CELL + GAP)
    below = -(-max(0, len(cells) - len(places)) // per_row)
    places += [(GAP + i * (CELL + GAP), GAP + (2 + j) * (row + GAP)) for j in range(below) for i in range(per_row)]
    made = Image.new("RGB", (2 * GAP + large + columns * (CELL + GAP), GAP + (2 + below) * (row + GAP)), PAPER)
    _place(made, picture, "Before", (GAP, GAP), large)
    for (label, cell), at in zip(cells, places, strict=False):
        _place(made, cell, label, at, CELL)
    return made


def _place(onto: Image.Image, picture: Image.Image, label: str, at: tuple[int, int], side: int) -> None:
    picture = picture.resize((side, side), Image.Resampling.LANCZOS)
    rounded = Image.new("L", (4 * side, 4 * side))
    ImageDraw.Draw(rounded).rounded_rectangle((0, 0, 4 * side - 1, 4 * side - 1), 32, fill=255)
    onto.paste(picture, at, rounded.resize((side, side), Image.Resampling.LANCZOS))
    ImageDraw.Draw(onto).text((at[0] + 2, at[1] + side + 6), label, INK, ImageFont.load_default(16))


def section(key: str, given: Image.Image, folder: Path) -> tuple[list[str], list[tuple[str, Image.Image]]]:
    """One transform: its part of the page, and its cells of the sheet."""
    kind = registry.load(key)
    lines = [f"## {kind.title}", "", f"`{key}`: {kind.summary}", ""]
    if not EXAMPLES.get(key, True):
        lines += ["Not shown, since it does what your own model does.", ""]
    cells: list[tuple[str, Image.Image]] = []
    for number, example in enumerate(EXAMPLES.get(key, (Example(""),))):
        label = f"{kind.title}, {example.caption}" if example.caption else kind.title
        before, steps = parsed(key, example)
        try:
            first = after(before, cut(given))
            shown = after(steps, first)
            name = f"{key}-{number + 1}"
            still(first, shown, folder / f"{name}.jpg")
            if number == 0:
                loop([*before, *steps], [moved(given, at) for at in range(LOOP)], folder / f"{key}.webp")
                lines += [f"![{label}, moving](images/gallery/{key}.webp)", ""]
        except (TransformError, ModelError) as error:
            sys.stderr.write(f"{label} is left out: {error}\n")
            lines += [f"{label} is not shown, since it needs something of yours: {error}", ""]
            continue
        cells.append((label, shown))
        lines += [f"![{label}, before and after](images/gallery/{name}.jpg)", ""]
        lines += [f"{example.caption.capitalize() or 'As it is by default'}: `{json.dumps(dict(example.settings))}`", ""]
    return lines, cells


def main() -> None:
    torch.set_num_threads(1)
    folder = IMAGES / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    given = portrait()
    wanted = sys.argv[1:] or registry.keys()
    page = [
        "# Gallery",
        "",
        "What every transform does to one portrait: before, and after. In the loops the portrait is moved by code.",
        "`make gallery` makes this page again. The portrait is NASA's of Eileen Collins, in the public domain.",
        "",
    ]
    cells: list[tuple[str, Image.Image]] = []
    for key in wanted:
        sys.stderr.write(f"{key}\n")
        lines, some = section(key, given, folder)
        page += lines
        cells += some
    if len(wanted) == len(registry.keys()):
        (DOCS / "gallery.md").write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")
        sheet(cut(given), cells).save(IMAGES / "gallery.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
