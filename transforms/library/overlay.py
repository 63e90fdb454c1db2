"""Lays something over the picture: a sticker that sits on the face, a picture or a text at a place, the tracker's view."""

from __future__ import annotations

import base64
import binascii
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from pydantic import Field, field_validator
from torch import Tensor

from transforms import png
from transforms.base import Settings, Transform
from transforms.color import Color, rgb_to_yuv444
from transforms.context import Context
from transforms.faces.face import Face
from transforms.faces.pose import pose_of
from transforms.frame import Frame
from transforms.people.room import rgb_of

if TYPE_CHECKING:
    from transforms.overlays.sprite import Drawing, Sprite

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way, as elsewhere; what is shown is cross-faded like this too."""

GONE = 0.01
"""Opacity below which nothing is seen."""

MOST_LAYERS = 4
"""What fades out while something else fades in: more is not told apart, and each costs as much as what is shown."""

MOST_SPRITES = 32
"""Pictures kept ready. A sticker has up to five; text is a new one whenever it or the frame's size changes."""

MAX_IMAGE = 700_000
"""Characters of a picture as a data URL (a PNG of 512 kB), as for a background."""

MAX_TEXT = 200
"""Characters: three full lines."""

DATA_URL = "data:image/png;base64,"

LINES = "#5ef2c2"
"""The tracker's view: a colour that no face has."""

_CM = 17.7
"""Height of the mean face, from chin to forehead: what the setting ``lift`` is measured by."""

_WIDEST = 0.92
"""Share of the frame's width that text may fill."""

_LABEL = 0.028
"""Height of the tracker's labels, of the frame's."""


class OverlaySettings(Settings):
    style: Literal["sticker", "picture", "text", "mesh"] = Field(
        default="sticker", title="Style", description="On the face, at a place in the picture, or what the tracker sees."
    )
    sticker: Literal["glasses", "sunglasses", "moustache", "hat", "nose", "own"] = Field(
        default="glasses",
        title="Sticker",
        description="A built-in one, or a picture of your own.",
        json_schema_extra={"when": {"style": "sticker"}},
    )
    anchor: Literal["eyes", "nose", "mouth", "forehead", "face", "above"] = Field(
        default="eyes",
        title="Anchor",
        description="Where on the face the middle of your own picture is.",
        json_schema_extra={"when": {"style": "sticker", "sticker": "own"}},
    )
    image: str = Field(
        default="",
        max_length=MAX_IMAGE,
        pattern=rf"^({DATA_URL}[A-Za-z0-9+/]+={{0,2}})?$",
        title="Picture",
        description="A PNG as a data URL; what is transparent in it stays so. For the picture style, and for your own sticker.",
        json_schema_extra={"contentMediaType": "image/png", "when": {"style": ["picture", "sticker"]}},
    )
    text: str = Field(
        default="doppel",
        max_length=MAX_TEXT,
        pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]*$",
        title="Text",
        description="Long lines are broken between words.",
        json_schema_extra={"when": {"style": "text"}},
    )
    color: str = Field(
        default="#ffffff",
        pattern=r"^#[0-9a-fA-F]{6}$",
        title="Colour",
        description="Of the text.",
        json_schema_extra={"format": "color", "when": {"style": "text"}},
    )
    plate: float = Field(
        default=60,
        ge=0,
        le=100,
        title="Plate",
        description="How dark the plate behind the text is.",
        json_schema_extra={"unit": "%", "when": {"style": "text"}},
    )
    text_size: float = Field(
        default=6,
        ge=2,
        le=30,
        title="Text size",
        description="Of the frame's height.",
        json_schema_extra={"unit": "%", "when": {"style": "text"}},
    )
    x: float = Field(
        default=50,
        ge=0,
        le=100,
        title="Across",
        description="Where the middle is, from left to right.",
        json_schema_extra={"unit": "%", "when": {"style": ["picture", "text"]}},
    )
    y: float = Field(
        default=88,
        ge=0,
        le=100,
        title="Down",
        description="Where the middle is, from top to bottom.",
        json_schema_extra={"unit": "%", "when": {"style": ["picture", "text"]}},
    )
    width: float = Field(
        default=25,
        ge=1,
        le=100,
        title="Width",
        description="Of the picture, by the frame's.",
        json_schema_extra={"unit": "%", "when": {"style": "picture"}},
    )
    scale: float = Field(
        default=100,
        ge=30,
        le=250,
        title="Size",
        description="Of the sticker; your own picture is as wide as the face at 100.",
        json_schema_extra={"unit": "%", "when": {"style": "sticker"}},
    )
    lift: float = Field(
        default=0,
        ge=-50,
        le=50,
        title="Lift",
        description="How much higher on the face the sticker sits, by the face's height.",
        json_schema_extra={"unit": "%", "when": {"style": "sticker"}},
    )
    opacity: float = Field(
        default=100, ge=0, le=100, title="Opacity", description="Of all that is laid over.", json_schema_extra={"unit": "%"}
    )

    @field_validator("image")
    @classmethod
    def _readable(cls, image: str) -> str:
        # The header only, since this may run where nothing may take long.
        if image:
            png.header(_png(image))
        return image


class _Layer(NamedTuple):
    """What is shown, apart from all that can be eased."""

    style: str
    sticker: str = ""
    anchor: str = ""
    text: str = ""
    color: str = ""


class Overlay(Transform[OverlaySettings]):
    """Draws on as much of the frame as its drawings cover; every other pixel stays as it is, to the bit."""

    title = "Overlay"
    summary = "Puts glasses, hats, pictures or text over the picture, on the face or at a place."
    settings_type = OverlaySettings

    def __init__(self, settings: OverlaySettings, context: Context) -> None:
        super().__init__(settings, context)
        self._time: float | None = None
        self._now = _numbers(settings)
        self._layers: dict[_Layer, float] = {_layer(settings): 1.0}
        self._pictures: dict[str, Tensor] = {}
        self._sprites: dict[tuple[object, ...], Sprite] = {}

    def prepare(self) -> None:
        """Raises ValueError where the picture cannot be read, or the font lacks a letter."""
        # Pillow is loaded here and not on import: a list of transforms needs no font.
        from transforms.overlays import stickers, text

        self._stickers, self._text = stickers, text
        text.font_for(self.settings.text, 16)
        if self.settings.image:
            self._pictures["own"] = png.decode_rgba(_png(self.settings.image))
        for needed in stickers.NEEDS.values():
            for name in needed:
                self._pictures[name] = _built_in(name)
        _ = self.context.faces

    def accepts(self, settings: OverlaySettings) -> bool:
        return settings.image == self.settings.image and (settings.text == self.settings.text or settings.text.isascii())

    def update(self, settings: OverlaySettings) -> None:
        self.settings = settings
        self._layers.setdefault(_layer(settings), 0.0)
        for layer in list(self._layers)[:-MOST_LAYERS]:
            if layer != _layer(settings):
                del self._layers[layer]

    def process(self, frame: Frame) -> Frame:
        from transforms.overlays.sprite import lay

        self._ease(float(frame.pts * frame.time_base))
        faces: tuple[Face, ...] = ()
        if any(layer.style in ("sticker", "mesh") for layer in self._layers):
            faces = self.context.faces.track(frame).faces
        opacity = self._now[-1]
        drawings: list[Drawing] = []
        for layer, weight in self._layers.items():
            if weight * opacity > GONE:
                drawings += self._drawings(frame, layer, weight * opacity, faces)
        lay(frame, drawings)
        return frame

    def _ease(self, now: float) -> None:
        elapsed = 0.0 if self._time is None else max(0.0, now - self._time)
        self._time = now
        share = 1 - math.exp(-elapsed / EASING)
        goal, shown = _numbers(self.settings), _layer(self.settings)
        self._now = [b if abs(b - a) < 1e-3 else a + share * (b - a) for a, b in zip(self._now, goal, strict=True)]
        eased = {layer: weight + share * (float(layer == shown) - weight) for layer, weight in self._layers.items()}
        self._layers = {
            layer: 1.0 if layer == shown and weight > 1 - GONE else weight
            for layer, weight in eased.items()
            if layer == shown or weight > GONE
        }

    def _drawings(self, frame: Frame, layer: _Layer, opacity: float, faces: tuple[Face, ...]) -> list[Drawing]:
        if layer.style == "text":
            return self._written(frame, layer, opacity)
        if layer.style == "picture":
            return self._pasted(frame, opacity)
        if layer.style == "mesh":
            return [drawing for face in faces for drawing in self._seen(frame, face, opacity)]
        return [drawing for face in faces for drawing in self._worn(frame, layer, face, opacity)]

    def _worn(self, frame: Frame, layer: _Layer, face: Face, opacity: float) -> list[Drawing]:
        from transforms.overlays.sprite import Drawing

        pose = pose_of(face.landmarks)
        *_, scale, lift, _ = self._now
        if layer.sticker == "own":
            if "own" not in self._pictures:
                return []
            sprite = self._sprite(frame, "own")
            aspect = sprite.size[1] / sprite.size[0]
            return [Drawing(sprite, self._stickers.own(layer.anchor, aspect, pose, face.landmarks, scale, lift * _CM), opacity)]
        pieces = self._stickers.pieces(layer.sticker, pose, face.landmarks, scale, lift * _CM)
        return [Drawing(self._sprite(frame, name, share), place, opacity) for name, share, place in pieces]

    def _pasted(self, frame: Frame, opacity: float) -> list[Drawing]:
        from transforms.overlays.sprite import Drawing, Place

        if "own" not in self._pictures:
            return []
        sprite = self._sprite(frame, "own")
        x, y, width = self._now[0] * frame.width, self._now[1] * frame.height, self._now[2] * frame.width
        height = width * sprite.size[1] / sprite.size[0]
        return [Drawing(sprite, Place((x - width / 2, y - height / 2), (width, 0.0), (0.0, height)), opacity)]

    def _written(self, frame: Frame, layer: _Layer, opacity: float) -> list[Drawing]:
        x, y, size, plate = self._now[0] * frame.width, self._now[1] * frame.height, self._now[3], self._now[4]
        return self._line(frame, layer.text, layer.color, round(size * frame.height), round(plate, 2), (x, y), opacity)

    def _line(
        self, frame: Frame, text: str, color: str, size: int, plate: float, middle: tuple[float, float], opacity: float
    ) -> list[Drawing]:
        """Text around a place, moved as far as it takes to be in the picture."""
        from transforms.overlays.sprite import Drawing, Place

        if not text.strip():
            return []
        key = ("text", text, color, max(4, size), plate, frame.width, frame.color, frame.device)
        sprite = self._sprites.get(key)
        if sprite is None:
            rgba = self._text.picture(text, max(4, size), int(_WIDEST * frame.width), color, plate)
            sprite = self._keep(key, rgba, frame)
        width, height = sprite.size
        # On whole pixels, so that letters are as sharp as they were drawn.
        left, top = (
            round(max(0.0, min(limit - length, at - length / 2)))
            for at, length, limit in zip(middle, sprite.size, (frame.width, frame.height), strict=True)
        )
        return [Drawing(sprite, Place((left, top), (width, 0.0), (0.0, height)), opacity)]

    def _seen(self, frame: Frame, face: Face, opacity: float) -> list[Drawing]:
        from transforms.overlays.sprite import blank, blend
        from transforms.overlays.wireframe import label, lines

        mask, box = lines(face, (frame.width, frame.height))
        if not box.empty:
            canvas = blank(box, frame.device)
            canvas[3, : box.height, : box.width] = mask * opacity
            canvas[:3] = _codes(LINES, frame.color, frame.device) * canvas[3]
            blend(frame, canvas, box)
        size = max(9, round(_LABEL * frame.height))
        place = (face.box.centre[0], face.box.top - 1.2 * size)
        return self._line(frame, label(face), LINES, size, 0.6, place, opacity)

    def _sprite(self, frame: Frame, name: str, share: tuple[float, float] = (0.0, 1.0)) -> Sprite:
        key = (name, share, frame.color, frame.device)
        if key in self._sprites:
            return self._sprites[key]
        rgba = self._pictures[name]
        first, last = (round(edge * rgba.shape[2]) for edge in share)
        return self._keep(key, rgba[:, :, first:last], frame)

    def _keep(self, key: tuple[object, ...], rgba: Tensor, frame: Frame) -> Sprite:
        from transforms.overlays.sprite import Sprite

        while len(self._sprites) >= MOST_SPRITES:
            del self._sprites[next(iter(self._sprites))]
        self._sprites[key] = Sprite(rgba, frame.color, frame.device)
        return self._sprites[key]


def _layer(settings: OverlaySettings) -> _Layer:
    if settings.style == "sticker":
        return _Layer("sticker", settings.sticker, settings.anchor if settings.sticker == "own" else "")
    if settings.style == "text":
        return _Layer("text", text=settings.text, color=settings.color)
    return _Layer(settings.style)


def _numbers(settings: OverlaySettings) -> list[float]:
    """What can be eased, as shares of one."""
    numbers = (
        settings.x,
        settings.y,
        settings.width,
        settings.text_size,
        settings.plate,
        settings.scale,
        settings.lift,
        settings.opacity,
    )
    return [number / 100 for number in numbers]


@lru_cache(maxsize=16)
def _built_in(name: str) -> Tensor:
    """Drawn once for all streams; nobody writes into it."""
    from transforms.overlays.stickers import PICTURES

    return PICTURES[name]()


@lru_cache(maxsize=4)
def _codes(colour: str, color: Color, device: torch.device) -> Tensor:
    """(3, 1, 1) Y, U and V of ``#rrggbb``."""
    return rgb_to_yuv444(torch.tensor(rgb_of(colour), device=device)[:, None, None], color)


def _png(url: str) -> bytes:
    try:
        return base64.b64decode(url.removeprefix(DATA_URL), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the picture's data URL is no base64: {error}") from error
