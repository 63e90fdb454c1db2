"""Make-up: lipstick, blush, eye shadow, eyeliner, brows and foundation."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from transforms.base import Settings, Transform
from transforms.color import Color
from transforms.context import Context
from transforms.faces.makeup_face import MadeUpFace, Paints
from transforms.faces.makeup_paint import Paint
from transforms.frame import Frame

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way: follows a slider, and nothing pops."""

PAUSE = 1.0
"""Seconds for which a face that is lost is remembered, as the tracker gives it its id back for so long."""

Finish = Literal["matte", "satin", "gloss"]
SHINE = {"matte": -1.0, "satin": 0.0, "gloss": 1.0}


def _color(default: str) -> Any:
    return Field(
        default=default,
        pattern=r"^#[0-9a-fA-F]{6}$",
        title="Colour",
        description="What the product looks like at full opacity in ordinary light.",
        json_schema_extra={"format": "color"},
    )


def _opacity(default: float) -> Any:
    return Field(
        default=default,
        ge=0,
        le=100,
        title="Opacity",
        description="How much of what is under it is covered. At 0 the product is off.",
        json_schema_extra={"unit": "%"},
    )


def _finish(default: Finish) -> Any:
    return Field(
        default=default, title="Finish", description="Matte takes highlights away, satin leaves them, gloss adds to them."
    )


class Lipstick(Settings):
    color: str = _color("#b3223f")
    opacity: float = _opacity(70)
    finish: Finish = _finish("satin")


class Blush(Settings):
    color: str = _color("#d9616b")
    opacity: float = _opacity(35)
    finish: Finish = _finish("satin")


class EyeShadow(Settings):
    color: str = _color("#7d4f5b")
    opacity: float = _opacity(40)
    finish: Finish = _finish("satin")


class Eyeliner(Settings):
    color: str = _color("#17120f")
    opacity: float = _opacity(60)
    finish: Finish = _finish("matte")


class Brows(Settings):
    color: str = _color("#3d2a20")
    opacity: float = _opacity(30)
    finish: Finish = _finish("matte")


class Foundation(Settings):
    color: str = _color("#d9a88a")
    opacity: float = _opacity(0)
    finish: Finish = _finish("satin")
    smoothing: float = Field(
        default=50,
        ge=0,
        le=100,
        title="Smoothing",
        description="How far blemishes and blotches are evened out. Features and pores stay.",
        json_schema_extra={"unit": "%"},
    )


class MakeupSettings(Settings):
    lipstick: Lipstick = Field(default=Lipstick(), title="Lipstick", description="On the lips, not between them.")
    blush: Blush = Field(default=Blush(), title="Blush", description="On the cheekbones.")
    shadow: EyeShadow = Field(default=EyeShadow(), title="Eye shadow", description="On the upper lids.")
    liner: Eyeliner = Field(default=Eyeliner(), title="Eyeliner", description="A line along the upper lashes.")
    brows: Brows = Field(default=Brows(), title="Brows", description="Tints and fills the eyebrows.")
    foundation: Foundation = Field(default=Foundation(), title="Foundation", description="Tones and evens the skin.")


class Makeup(Transform[MakeupSettings]):
    """Paints faces with what the settings say, each product where it belongs on the face's own mesh."""

    title = "Make-up"
    summary = "Lipstick, blush, eye shadow, eyeliner, brows and foundation that keep the skin's texture and light."
    settings_type = MakeupSettings

    def __init__(self, settings: MakeupSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._look = _look(settings)
        self._faces: dict[int, tuple[float, MadeUpFace]] = {}
        self._time: float | None = None

    def prepare(self) -> None:
        _ = self.context.faces

    def process(self, frame: Frame) -> Frame:
        now = float(frame.pts * frame.time_base)
        first, elapsed = self._time is None, 0.0 if self._time is None else max(0.0, now - self._time)
        self._time = now
        tracking = self.context.faces.track(frame)
        self._ease(elapsed)
        paints = _paints(self._look, frame.color)
        self._faces = {id_: (seen, face) for id_, (seen, face) in self._faces.items() if 0 <= now - seen < PAUSE}
        for face in tracking.faces:
            known = self._faces.get(face.id)
            made_up = known[1] if known else MadeUpFace(frame, face, shown=first)
            self._faces[face.id] = (now, made_up)
            made_up.paint(frame, face, paints, elapsed)
        return frame

    def _ease(self, elapsed: float) -> None:
        share = 1 - math.exp(-elapsed / EASING)
        self._look = [
            goal if abs(goal - now) < 1e-3 else now + share * (goal - now)
            for now, goal in zip(self._look, _look(self.settings), strict=True)
        ]


def _look(settings: MakeupSettings) -> list[float]:
    """All that can be seen as numbers that can be eased: red, green, blue, opacity and shine of each product, and smoothing."""
    look: list[float] = []
    for product in (settings.lipstick, settings.blush, settings.shadow, settings.liner, settings.brows, settings.foundation):
        look += [int(product.color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        look += [product.opacity / 100, SHINE[product.finish]]
    return [*look, settings.foundation.smoothing / 100]


def _paints(look: list[float], color: Color) -> Paints:
    """In the codes of a stream's colour: six products of five numbers each."""
    lipstick, blush, shadow, liner, brows, foundation = (_paint(look[i : i + 5], color) for i in range(0, 30, 5))
    return Paints(lipstick, blush, shadow, liner, brows, foundation, look[30])


def _paint(look: list[float], color: Color) -> Paint:
    red, green, blue, opacity, shine = look
    kr, kb = color.luma_weights
    luma_scale, chroma_scale = (255, 255) if color.full_range else (219, 224)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    return Paint(luma * luma_scale, u * chroma_scale, v * chroma_scale, opacity, shine)
