"""Makes the gallery: what every transform does to one portrait, as stills and as loops (``make gallery``).

Writes docs/gallery.md, docs/images/gallery/ and docs/images/gallery.jpg. The portrait is NASA's of Eileen Collins, in the public
domain, as scikit-image carries it; in the loops it is moved by code. A transform that is not in ``EXAMPLES`` is shown with its
default settings.
"""

from __future__ import annotations

import base64
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from transforms import registry
from transforms.audio import SAMPLE_RATE, STREAM_RATE, Listener, Silence
from transforms.chain import Chain, Step
from transforms.color import Color, rgb_to_yuv
from transforms.context import Context
from transforms.errors import ModelError, TransformError
from transforms.frame import Frame, Planes
from transforms.models.carrier import read_member
from transforms.models.store import Store, default_root
from transforms.speech.mouth_shape import LATENCY
from transforms.speech.recording import Recording
from transforms.speech.synthesis import spoken

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"

PORTRAIT = "skimage/data/astronaut.png"
PORTRAIT_SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
PORTRAIT_SIZE = 791_555

CUT = (40, 0, 400, 360)
"""Of the portrait: head and shoulders."""

SIDE = 720
"""px of it as it is transformed: twice what it has, so that edges are drawn finer than the portrait's pixels."""

HEAD, FACE = (120, 0, 640, 520), (150, 10, 590, 450)
"""Of the cut: what stills and loops show, and what the sheet does, where every pixel of a face counts."""

STILL = 400
"""px: side of each of the two pictures of a still."""

QUALITY = 86
"""Of a JPEG: no blocks to be seen, and a quarter of a PNG's size."""

SETTLED = 45
"""Frames of the same picture until everything that eases has come to rest."""

FPS = 12
"""Of loops, and of what the transforms see."""

TICKS = 90_000
"""A second, in a frame's time stamps."""

LOOP, LOOP_SIDE = 30, 320
"""Frames of a loop in which nobody speaks, and px."""

QUALITIES = (76, 66, 56, 46, 36, 28)
"""Of a loop's WebP, from the best on, until it fits into ``MAX_LOOP``."""

MAX_LOOP = 300_000
"""Bytes of a loop: a page with a dozen of them must still open on a phone."""

SEAM = 4
"""Frames at a loop's end that become what came before its beginning, since blinks and breath keep a time of their own."""

PAUSE = 1.0
"""s of silence before a voice begins again, as ``lipsync`` has it."""

ROLL, SHIFT, ZOOM = 7.0, 0.035, 0.07
"""How the portrait moves in a loop: degrees, and shares of its width."""

CELL, COLUMNS, GAP, LABEL = 300, 5, 12, 34
"""px of the sheet: side of a small picture, how many side by side, the space between, and the line of text below each."""

STRIP = 40
"""px below a loop in which somebody speaks: the words and the sound."""

INK, PAPER, DIM, PLAYED = "#e8eaee", "#0e1014", "#4a505c", "#5ef2c2"
"""The page's own in the dark, so that the pictures of the docs are of one kind; and sound that is to come, and that was heard."""

Settings = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Example:
    caption: str
    settings: Settings = field(default_factory=dict)
    before: tuple[tuple[str, Settings], ...] = ()
    """What is done to the portrait first, as to a picture from a bad webcam."""
    worn: tuple[tuple[str, Settings], ...] | None = None
    """What is done to the portrait before it is given as the setting ``portrait``; None where it is not."""
    says: str = ""
    """Heard while it is shown, and read out by this machine's synthesizer."""
    looped: bool = False
    """Shown as a loop too."""
    at: int = 0
    """Frame of the loop that is shown as the still, where there is no rest to wait for."""
    whole: bool = False
    """Shown without cutting it to the head."""
    tile: str = ""
    """Its line in the sheet; without one it is not in it."""
    halves: bool = False
    """In the sheet, its left half is the picture before."""


BAD_LIGHT = (("grade", {"exposure": -3}), ("grade", {"exposure": -1.8, "temperature": 9000}))


def _painting(number: int) -> tuple[str, Settings]:
    return "stylize", {"style": "painting", "painting": number, "detail": "medium", "edges": 60}


SENTENCE = "Hello. I am your double."

EVENING = {
    "lipstick": {"color": "#b0123a", "opacity": 90},
    "blush": {"opacity": 40},
    "shadow": {"color": "#6b3f7c", "opacity": 65},
    "liner": {"opacity": 90},
    "brows": {"opacity": 50},
    "foundation": {"opacity": 25, "smoothing": 60},
}
DAY = {
    "lipstick": {"color": "#8c3b2e", "opacity": 80, "finish": "matte"},
    "blush": {"color": "#c9735a", "opacity": 45},
    "shadow": {"color": "#2f6f6a", "opacity": 80},
    "liner": {"opacity": 95},
    "brows": {"opacity": 60},
    "foundation": {"opacity": 30, "smoothing": 70},
}

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "expression": (
        Example("surprised", {"mood": "surprised"}, looped=True, tile="Expression: surprised"),
        Example("wink", {"mood": "wink"}, tile="Expression: wink"),
        Example("happy", {"mood": "happy"}),
        Example("angry", {"mood": "angry"}),
    ),
    "makeup": (
        Example("for an evening", EVENING, looped=True, tile="Make-up"),
        Example("another one", DAY),
    ),
    "reshape": (
        Example("slim, large eyes", {"slim": 100, "jaw": 60, "eyes": 80}, looped=True, tile="Reshape: slim, large eyes"),
        Example("broad", {"slim": -100, "jaw": -80, "eyes": 0, "nose": -80}),
    ),
    "faceswap": (
        Example("a drawn face", {"portrait": "mask", "color_match": 50}, looped=True, tile="Face swap: a drawn face"),
        Example("a painted portrait", {"color_match": 0}, worn=(_painting(12),)),
    ),
    "lipsync": (
        Example(
            f"“{SENTENCE}”",
            {"source": "text", "text": SENTENCE, "repeat": True},
            says=SENTENCE,
            looped=True,
            at=17,
            tile="Lip-sync: “Hello…”",
        ),
    ),
    "avatar": (
        Example("a voice moves a still portrait", {"driver": "voice"}, worn=(), says=SENTENCE, looped=True, at=17, whole=True),
        Example(
            "a painting follows a face",
            {"driver": "face"},
            worn=(_painting(12),),
            looped=True,
            at=6,
            whole=True,
            tile="Avatar: a painting follows",
        ),
    ),
    "stylize": (
        Example("painting 12", {"style": "painting", "painting": 12}, looped=True),
        Example("painting 4", _painting(4)[1], tile="Stylize: painting"),
        Example("ink", {"style": "ink"}, tile="Stylize: ink"),
        Example("sketch", {"style": "sketch"}),
    ),
    "background": (
        Example("picture", {"style": "image"}, looped=True, whole=True, tile="Background: a picture"),
        Example("blur", {"style": "blur"}, whole=True),
        Example("colour", {"style": "color"}, whole=True),
    ),
    "anonymize": (
        Example("pixelate", {"style": "pixelate"}, looped=True),
        Example("blur", {"style": "blur"}, tile="Anonymize: blur"),
        Example("solid", {"style": "solid"}),
    ),
    "restore_light": (
        Example("dim, yellow light", {"brightness": 0.5}, BAD_LIGHT, looped=True, tile="Restore light", halves=True),
    ),
    "grade": (
        Example("teal and orange", {"look": "teal_orange", "vignette": 40}, looped=True),
        Example("noir", {"look": "noir", "vignette": 50}, tile="Grade: noir"),
        Example("film", {"look": "film", "vignette": 25}),
    ),
    "overlay": (
        Example("sunglasses", {"sticker": "sunglasses"}, looped=True, tile="Overlay: sunglasses"),
        Example("moustache", {"sticker": "moustache"}),
        Example("text", {"style": "text", "text": "Eileen Collins"}, whole=True),
        Example("mesh", {"style": "mesh"}),
    ),
    # These run what a user brings.
    "onnx_face": (),
    "onnx_frame": (),
}
"""In the order of the page. What is not in it comes last, with its default settings."""


def portrait() -> Image.Image:
    data = read_member("scikit-image", "0.26.0", PORTRAIT, PORTRAIT_SHA256, PORTRAIT_SIZE)
    return Image.open(io.BytesIO(data)).convert("RGB")


def cut(picture: Image.Image) -> Image.Image:
    """Head and shoulders, as they are transformed."""
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS, CUT)


def moved(picture: Image.Image, number: int, of: int = LOOP) -> Image.Image:
    """The cut as a moving head would give it, at one of so many moments; the last is followed by the first."""
    phase = 2 * math.pi * number / of
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


def url(picture: Image.Image) -> str:
    """A picture as a setting takes it."""
    file = io.BytesIO()
    picture.resize((STILL, STILL), Image.Resampling.LANCZOS).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


class Voice:
    """What is said, again and again, as a stream's sound and as it is drawn below the pictures."""

    def __init__(self, words: str) -> None:
        """Raises NotPrepared where nothing here can read it out."""
        self.words = words
        self.samples = spoken(words)
        self.count = round((len(self.samples) / SAMPLE_RATE + PAUSE) * FPS)
        """Frames until it begins again."""

    def sound(self) -> Listener:
        # Ahead by as much as a mouth is late, for which a stream holds back its sound.
        recording = Recording(self.samples, self.count / FPS - len(self.samples) / SAMPLE_RATE)
        recording.begin(round(-LATENCY * STREAM_RATE))
        return recording

    def captioned(self, picture: Image.Image, number: int) -> Image.Image:
        """The picture above the words and the sound, of which as much is bright as was heard."""
        made = Image.new("RGB", (picture.width, picture.height + STRIP), PAPER)
        made.paste(picture)
        draw, font = ImageDraw.Draw(made), ImageFont.load_default(14)
        middle = picture.height + STRIP / 2
        draw.text((8, middle), self.words, INK, font, anchor="lm")
        left = 20 + draw.textlength(self.words, font)
        bars = int((picture.width - 8 - left) // 4)
        padded = np.zeros(self.count * SAMPLE_RATE // FPS, np.float32)
        padded[: len(self.samples)] = self.samples
        for bar, part in enumerate(np.array_split(padded, bars)):
            height = 1 + 14 * min(1.0, 4 * float(np.sqrt(np.mean(part * part))))
            x = left + 4 * bar
            heard = bar / bars <= number / self.count
            draw.rectangle((x, middle - height, x + 2, middle + height), PLAYED if heard else DIM)
        return made


def transformed(
    steps: Sequence[Step], pictures: Sequence[Image.Image], settle: int, listen: Callable[[], Listener] = Silence
) -> Iterator[Image.Image]:
    """The pictures through a chain that has first seen the first one ``settle`` times.

    Raises TransformError or ModelError where a transform cannot be prepared, and SystemExit where one fails.
    """
    chain = Chain(Context(torch.device("cpu"), Store(default_root()), listen))
    try:
        chain.swap(chain.prepare(steps))
        for number, picture in enumerate([pictures[0]] * settle + list(pictures)):
            rgb = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255
            frame = Frame(Planes(*rgb_to_yuv(rgb, Color())), pts=number * TICKS // FPS, time_base=Fraction(1, TICKS))
            frame = chain.process(frame)
            if failed := [report.key for report in chain.report() if report.errors]:
                raise SystemExit(f"{', '.join(failed)} failed in frame {number}")
            if number >= settle:
                yield Image.fromarray((frame.rgb().permute(1, 2, 0) * 255).round().byte().numpy())
    finally:
        chain.close()


def after(steps: Sequence[Step], picture: Image.Image) -> Image.Image:
    """The picture after it has stood before a running chain for a moment, step by step."""
    for step in steps:
        picture = next(transformed([step], [picture], SETTLED))
    return picture


def parsed(steps: Sequence[tuple[str, Settings]]) -> list[Step]:
    return [Step.parse(name, settings) for name, settings in steps]


def still(before: Image.Image, shown: Image.Image, path: Path) -> None:
    """Both side by side."""
    sheet = Image.new("RGB", (2 * STILL + GAP, STILL), PAPER)
    for number, picture in enumerate((before, shown)):
        sheet.paste(picture.resize((STILL, STILL), Image.Resampling.LANCZOS), (number * (STILL + GAP), 0))
    sheet.save(path, quality=QUALITY, optimize=True)


def frames(steps: Sequence[Step], pictures: Sequence[Image.Image], listen: Callable[[], Listener]) -> list[Image.Image]:
    """What becomes of the pictures, such that the last is followed by the first."""
    # Twice through, as a person would have moved before too; what eases has come to rest in the second turn.
    count = len(pictures)
    shown = list(transformed(steps, [*pictures, *pictures], 0, listen))
    first, second = shown[:count], shown[count:]
    for number in range(1, SEAM + 1):
        at = count - SEAM + number - 1
        second[at] = Image.blend(second[at], first[at], number / (SEAM + 1))
    return second


def loop(pictures: Sequence[Image.Image], path: Path) -> None:
    """An animated WebP, as good as its size allows. Raises SystemExit where it is too large however bad it is."""
    for quality in QUALITIES:
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=1000 // FPS, loop=0, quality=quality, method=4)
        if path.stat().st_size <= MAX_LOOP:
            return
    raise SystemExit(f"{path.name} has {path.stat().st_size} bytes; fewer frames or less quality is needed")


def sheet(cells: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """The small pictures, row by row."""
    rows = -(-len(cells) // COLUMNS)
    made = Image.new("RGB", (GAP + COLUMNS * (CELL + GAP), GAP + rows * (CELL + LABEL + GAP)), PAPER)
    rounded = Image.new("L", (4 * CELL, 4 * CELL))
    ImageDraw.Draw(rounded).rounded_rectangle((0, 0, 4 * CELL - 1, 4 * CELL - 1), 48, fill=255)
    corners = rounded.resize((CELL, CELL), Image.Resampling.LANCZOS)
    for number, (label, picture) in enumerate(cells):
        row, column = divmod(number, COLUMNS)
        left, top = GAP + column * (CELL + GAP), GAP + row * (CELL + LABEL + GAP)
        made.paste(picture.resize((CELL, CELL), Image.Resampling.LANCZOS), (left, top), corners)
        ImageDraw.Draw(made).text((left + 2, top + CELL + 7), label, INK, ImageFont.load_default(19))
    return made


def halved(before: Image.Image, shown: Image.Image) -> Image.Image:
    """The left half before, the right half after, a line between."""
    made, middle = shown.copy(), shown.width // 2
    made.paste(before.crop((0, 0, middle, before.height)))
    ImageDraw.Draw(made).rectangle((middle - 1, 0, middle + 1, shown.height), INK)
    return made


def show(key: str, example: Example, given: Image.Image, folder: Path, name: str) -> Image.Image:
    """Writes the example's still and loop; returns its small picture of the sheet.

    Raises TransformError or ModelError where it cannot be shown here.
    """
    voice = Voice(example.says) if example.says else None
    settings = dict(example.settings)
    if example.worn is not None:
        settings |= {"portrait": url(after(parsed(example.worn), cut(given))), "consent": True}
    before, steps = parsed(example.before), parsed([(key, settings)])
    first = after(before, cut(given))
    shown: Image.Image | None = None
    if example.looped:
        count = voice.count if voice else LOOP
        pictures = [moved(given, at, count) for at in range(count)]
        made = frames([*before, *steps], pictures, voice.sound if voice else Silence)
        if example.at:
            first, shown = pictures[example.at], made[example.at]
        box = (0, 0, SIDE, SIDE) if example.whole else HEAD
        small = [picture.resize((LOOP_SIDE, LOOP_SIDE), Image.Resampling.LANCZOS, box) for picture in made]
        loop([voice.captioned(one, at) if voice else one for at, one in enumerate(small)], folder / f"{name}.webp")
    shown = shown or after(steps, first)
    pair = (first, shown) if example.whole else (first.crop(HEAD), shown.crop(HEAD))
    still(*pair, folder / f"{name}.jpg")
    first, shown = first.crop(FACE), shown.crop(FACE)
    return halved(first, shown) if example.halves else shown


def section(key: str, given: Image.Image, folder: Path) -> tuple[list[str], list[tuple[str, Image.Image]]]:
    """One transform: its part of the page, and its cells of the sheet."""
    kind = registry.load(key)
    lines = [f"## {kind.title}", "", f"`{key}`: {kind.summary}", ""]
    if not EXAMPLES.get(key, True):
        lines += ["Not shown, since it does what your own model does.", ""]
    cells: list[tuple[str, Image.Image]] = []
    for number, example in enumerate(EXAMPLES.get(key, (Example(""),))):
        label = f"{kind.title}, {example.caption}" if example.caption else kind.title
        name = f"{key}-{number + 1}"
        try:
            cell = show(key, example, given, folder, name)
        except (TransformError, ModelError) as error:
            sys.stderr.write(f"{label} is left out: {error}\n")
            lines += [f"{label} is not shown, since it needs something of yours: {error}", ""]
            continue
        if example.tile:
            cells.append((example.tile, cell))
        if example.looped:
            lines += [f"![{label}, moving](images/gallery/{name}.webp)", ""]
        given_too = {"portrait": "…", "consent": True} if example.worn is not None else {}
        told = json.dumps({**given_too, **example.settings}, ensure_ascii=False)
        lines += [f"![{label}, before and after](images/gallery/{name}.jpg)", ""]
        lines += [f"{example.caption[:1].upper()}{example.caption[1:]}: `{told}`" if example.caption else "As by default", ""]
    return lines, cells


def main() -> None:
    torch.set_num_threads(1)
    folder = IMAGES / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    given = portrait()
    every = sorted(registry.keys(), key=lambda key: [*EXAMPLES].index(key) if key in EXAMPLES else len(EXAMPLES))
    wanted = sys.argv[1:] or every
    page = [
        "# Gallery",
        "",
        "What every transform does to one portrait: before, and after. In the loops the portrait is moved by code.",
        "`make gallery` makes this page again. The portrait is NASA's of Eileen Collins, in the public domain. A portrait that a",
        "transform asks for is hers too, as a photograph or painted by `stylize`, or the face that is drawn by code.",
        "",
    ]
    cells = [("Before", cut(given).crop(FACE))]
    for key in wanted:
        sys.stderr.write(f"{key}\n")
        lines, some = section(key, given, folder)
        page += lines
        cells += some
    if set(wanted) == set(every):
        (DOCS / "gallery.md").write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")
        sheet(cells).save(IMAGES / "gallery.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
