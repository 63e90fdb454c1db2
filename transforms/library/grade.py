"""Colour grading: exposure, white balance, tone, a look from a table, a vignette."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from transforms.base import Settings, Transform
from transforms.color import Color
from transforms.context import Context
from transforms.frame import Frame, Planes
from transforms.grading import cube
from transforms.grading.light import DAYLIGHT, adaptation, balanced, coded, contrasted, exposed, linear, saturated
from transforms.grading.looks import LOOKS, table
from transforms.grading.table import Table

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way, as elsewhere."""

ARRIVED = 1e-3
"""Distance, of a setting's whole range about, that is not seen any more."""


class GradeSettings(Settings):
    exposure: float = Field(
        default=0,
        ge=-3,
        le=3,
        title="Exposure",
        description="Doubles or halves the light; white stays white.",
        json_schema_extra={"unit": "EV"},
    )
    contrast: float = Field(
        default=0,
        ge=-100,
        le=100,
        title="Contrast",
        description="An S-curve around the middle grey.",
        json_schema_extra={"unit": "%"},
    )
    gamma: float = Field(
        default=1, ge=0.4, le=2.5, title="Gamma", description="Lifts the middle tones above 1, and lowers them below."
    )
    saturation: float = Field(
        default=100,
        ge=0,
        le=200,
        title="Saturation",
        description="0 is black and white.",
        json_schema_extra={"unit": "%"},
    )
    temperature: float = Field(
        default=DAYLIGHT,
        ge=2500,
        le=15000,
        title="Temperature",
        description="Of the light in the room, which is taken for white: higher makes the picture warmer.",
        json_schema_extra={"unit": "K"},
    )
    tint: float = Field(
        default=0,
        ge=-100,
        le=100,
        title="Tint",
        description="To green below 0, to magenta above.",
        json_schema_extra={"unit": "%"},
    )
    vignette: float = Field(
        default=0, ge=0, le=100, title="Vignette", description="Darkens the corners.", json_schema_extra={"unit": "%"}
    )
    look: Literal["none", "film", "teal_orange", "noir", "faded", "sepia", "vivid", "own"] = Field(
        default="none", title="Look", description="A built-in table of colours, or your own."
    )
    lut: str = Field(
        default="",
        max_length=cube.MAX_TEXT,
        title="Own table",
        description="The text of a .cube file, 1D or 3D, for the look 'own'.",
        json_schema_extra={"contentMediaType": "text/plain", "accept": ".cube", "when": {"look": "own"}},
    )
    strength: float = Field(
        default=100,
        ge=0,
        le=100,
        title="Strength of the look",
        description="How far colours go to what the table says.",
        json_schema_extra={"unit": "%"},
    )

    @field_validator("lut")
    @classmethod
    def _readable(cls, lut: str) -> str:
        # The header only, since this may run where nothing may take long.
        if lut:
            cube.header(lut)
        return lut


class Grade(Transform[GradeSettings]):
    """All of it becomes one table over YUV, so that a pixel costs the same whatever is set; the vignette is a product more."""

    title = "Grade"
    summary = "Sets exposure, white balance, contrast and colours, and applies looks from .cube tables."
    settings_type = GradeSettings

    def __init__(self, settings: GradeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._now = _numbers(settings)
        self._time: float | None = None
        self._baked: tuple[object, Table] | None = None
        self._version = 0

    def prepare(self) -> None:
        """Raises ValueError where the table's numbers are no numbers."""
        self._tables = {name: table(name) for name in LOOKS}
        self._tables["own"] = cube.read(self.settings.lut) if self.settings.lut else self._tables["none"]
        self._look = self._tables[self.settings.look]

    def accepts(self, settings: GradeSettings) -> bool:
        return settings.lut == self.settings.lut

    def process(self, frame: Frame) -> Frame:
        version = self._version
        self._ease(float(frame.pts * frame.time_base))
        moving = self._version != version
        vignette = self._now[-1]
        plain = self._neutral()
        if plain and vignette == 0:
            return frame
        planes = frame.planes
        if not plain:
            # While something moves, tables are drafts, which take a third of the time; the first picture at rest has a fine one.
            key = (self._version, frame.color, frame.device, moving)
            if self._baked is None or self._baked[0] != key:
                self._baked = (key, Table(self._change(frame.color, frame.device), frame.color, frame.device, moving))
            planes = self._baked[1](planes)
        if vignette > 0:
            blacks = (frame.color.black, 128, 128)
            planes = Planes(*(_darkened(plane, black, vignette) for plane, black in zip(planes, blacks, strict=True)))
        frame.replace(planes)
        return frame

    def _ease(self, now: float) -> None:
        elapsed = 0.0 if self._time is None else max(0.0, now - self._time)
        self._time = now
        share = 1 - math.exp(-elapsed / EASING)
        goal, look = _numbers(self.settings), self._tables[self.settings.look]
        if self._now != goal:
            self._now = [b if abs(b - a) < ARRIVED else a + share * (b - a) for a, b in zip(self._now, goal, strict=True)]
            self._version += 1
        if self._look is not look:
            eased = torch.lerp(self._look, look, share)
            self._look = look if float((eased - look).abs().max()) < ARRIVED else eased
            self._version += 1

    def _neutral(self) -> bool:
        *numbers, strength, _ = self._now
        return numbers == _numbers(GradeSettings())[:-2] and (strength == 0 or self._look is self._tables["none"])

    def _change(self, color: Color, device: torch.device) -> Callable[[Tensor], Tensor]:
        exposure, contrast, gamma, saturation, warmth, tint, strength, _ = self._now
        matrix = adaptation(1e6 / warmth, tint).to(device)
        look = None if strength == 0 or self._look is self._tables["none"] else self._look.to(device)

        def change(rgb: Tensor) -> Tensor:
            rgb = coded(exposed(balanced(linear(rgb), matrix), 2**exposure), 2**gamma)
            rgb = saturated(contrasted(rgb, contrast), saturation, color.luma_weights).clamp_(0.0, 1.0)
            return rgb if look is None else torch.lerp(rgb, cube.sample(look, rgb * 2 - 1), strength)

        return change


def _numbers(settings: GradeSettings) -> list[float]:
    """What can be eased, on scales on which equal steps look equal; what the table is made of first."""
    return [
        settings.exposure,
        settings.contrast / 100,
        math.log2(settings.gamma),
        settings.saturation / 100,
        1e6 / settings.temperature,
        settings.tint / 100,
        settings.strength / 100,
        settings.vignette / 100,
    ]


def _darkened(plane: Tensor, black: int, amount: float) -> Tensor:
    shade = _shade(plane.shape[0], plane.shape[1], plane.device)
    picture = plane.float()
    picture.addcmul_(picture - black, shade, value=-amount)
    # By way of int16: some five times as fast as straight to uint8.
    return picture.add_(0.5).to(torch.int16).to(torch.uint8)


@lru_cache(maxsize=4)
def _shade(height: int, width: int, device: torch.device) -> Tensor:
    """(h, w): 0 in the middle, 1 in the corners, as the fourth power of a cosine falls off behind a simple lens."""
    x = torch.linspace(-1, 1, width, device=device)
    y = torch.linspace(-1, 1, height, device=device)[:, None]
    radius = (x.square() + y.square()) / 2
    return radius * radius * (3 - 2 * radius)
