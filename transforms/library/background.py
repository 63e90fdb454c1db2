"""Shows a person before something else than their room."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from transforms import png
from transforms.base import Settings, Transform
from transforms.color import Color
from transforms.context import Context
from transforms.frame import Frame, Planes
from transforms.people.matte import Matte, MatteMaker
from transforms.people.resize import double
from transforms.people.room import gradient, out_of_focus, painted, rgb_of

EASING = 0.12
"""Seconds in which a changed strength has come 63 % of its way, as elsewhere."""

FADE = 0.3
"""Seconds from one kind of background to another: seen as a change, not as a jump."""

SIGMA = 0.006, 0.08
"""Standard deviation of the blur at 0 and 100 %, of the frame's height: edges soften, and colours are all that is left."""

MAX_IMAGE = 700_000
"""Characters of a picture as a data URL (a PNG of 512 kB): a photograph of 640x360, and it fits into a request of 1 MiB."""

DATA_URL = "data:image/png;base64,"

SCENES = {
    "dusk": [["#2b2d5b", "#4a3f77", "#233056"], ["#7d5a8c", "#d98a7c", "#5d5388"], ["#e0a27e", "#f3c99b", "#b9788a"]],
    "studio": [["#3c4148", "#5a616b", "#34393f"], ["#6d7580", "#a3abb5", "#5f6670"], ["#2f3338", "#4a5058", "#2a2e33"]],
    "meadow": [["#a9d3e8", "#d8ecf2", "#9cc9de"], ["#9cc79a", "#c9deac", "#7fb58d"], ["#3f7d58", "#5f9a62", "#2f6850"]],
}
"""Built-in pictures, as rows of colours."""


class BackgroundSettings(Settings):
    style: Literal["blur", "color", "image"] = Field(
        default="blur", title="Style", description="The room out of focus, one colour, or a picture."
    )
    strength: float = Field(
        default=60,
        ge=0,
        le=100,
        title="Blur",
        description="How far the room is out of focus.",
        json_schema_extra={"unit": "%", "when": {"style": "blur"}},
    )
    color: str = Field(
        default="#2f5d62",
        pattern=r"^#[0-9a-fA-F]{6}$",
        title="Colour",
        description="Of the colour style.",
        json_schema_extra={"format": "color", "when": {"style": "color"}},
    )
    image: str = Field(
        default="dusk",
        max_length=MAX_IMAGE,
        pattern=rf"^({'|'.join(SCENES)}|{DATA_URL}[A-Za-z0-9+/]+={{0,2}})$",
        title="Picture",
        description="A built-in one (" + ", ".join(SCENES) + "), or a PNG as a data URL. It is scaled to cover the room.",
        json_schema_extra={"examples": [*SCENES], "contentMediaType": "image/png", "when": {"style": "image"}},
    )

    @field_validator("image")
    @classmethod
    def _readable(cls, image: str) -> str:
        # The header only, since this may run where nothing may take long.
        if image not in SCENES:
            png.header(_png(image))
        return image


class Background(Transform[BackgroundSettings]):
    """Leaves persons as they are and replaces what is behind them.

    It fails closed: it is there to hide a room, and the people and papers in it, and one frame of them is enough to read.
    For the same reason all is room where the segmentation sees nobody.
    """

    title = "Background"
    summary = "Blurs the room behind people, or replaces it by a colour or a picture."
    settings_type = BackgroundSettings
    fails_closed = True

    def __init__(self, settings: BackgroundSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._strength = settings.strength
        self._time: float | None = None
        self._shown: Tensor | None = None
        self._old: Tensor | None = None
        self._fade = 1.0
        self._painted: tuple[object, Tensor] | None = None

    def prepare(self) -> None:
        self._picture = self._read_picture()
        self._matte = MatteMaker(self.context)

    def accepts(self, settings: BackgroundSettings) -> bool:
        return settings.image in SCENES or settings.image == self.settings.image

    def update(self, settings: BackgroundSettings) -> None:
        old, self.settings = self.settings, settings
        if settings.image != old.image:
            self._picture = self._read_picture()
        if settings.style != old.style or (settings.color, settings.image) != (old.color, old.image):
            self._old, self._fade = self._shown, 0.0

    def process(self, frame: Frame) -> Frame:
        now = float(frame.pts * frame.time_base)
        elapsed = 0.0 if self._time is None else max(0.0, now - self._time)
        self._time = now
        matte = self._matte(frame)
        room = self._faded(self._room(frame, matte, elapsed), elapsed)
        self._shown = room
        frame.replace(blend(frame.planes, matte.half, room))
        return frame

    def _room(self, frame: Frame, matte: Matte, elapsed: float) -> Tensor:
        height, width = matte.half.shape
        if self.settings.style == "blur":
            self._strength += (self.settings.strength - self._strength) * (1 - math.exp(-elapsed / EASING))
            low, high = SIGMA
            return out_of_focus(matte, low * (high / low) ** (self._strength / 100), (height, width))
        self._strength = self.settings.strength
        key = (self.settings.style, self.settings.color, self.settings.image, height, width, frame.color)
        if self._painted is None or self._painted[0] != key:
            self._painted = (key, self._paint((height, width), frame.color, frame.device))
        return self._painted[1]

    def _paint(self, size: tuple[int, int], color: Color, device: torch.device) -> Tensor:
        if self.settings.style == "color":
            one = torch.tensor(rgb_of(self.settings.color), device=device)[:, None, None].expand(3, 2, 2)
            return painted(one, (1, 1), color).expand(3, *size)
        if self._picture is not None:
            return painted(self._picture.to(device), size, color)
        return painted(gradient(SCENES[self.settings.image], (2 * size[0], 2 * size[1]), device), size, color)

    def _faded(self, room: Tensor, elapsed: float) -> Tensor:
        """From what was shown when the settings changed, to what they ask for now."""
        self._fade = min(1.0, self._fade + elapsed / FADE)
        if self._fade == 1.0 or self._old is None or self._old.shape != room.shape:
            self._old = None
            return room
        return torch.lerp(self._old, room, self._fade)

    def _read_picture(self) -> Tensor | None:
        return None if self.settings.image in SCENES else png.decode(_png(self.settings.image))


def blend(planes: Planes, alpha: Tensor, room: Tensor) -> Planes:
    """Planes of the picture where ``alpha`` is 1, of the room where it is 0; both at half size. Exact at both ends."""
    height, width = planes.y.shape
    behind = room * (1 - alpha)
    behind += 0.5  # so that cutting off the fraction rounds
    weight, y = double(torch.stack((alpha, behind[0])))[:, :height, :width]
    y = weight.mul_(planes.y).add_(y)
    u = (alpha * planes.u).add_(behind[1])
    v = (alpha * planes.v).add_(behind[2])
    # By way of int16: some five times as fast as straight to uint8.
    return Planes(*(plane.to(torch.int16).to(torch.uint8) for plane in (y, u, v)))


def _png(url: str) -> bytes:
    try:
        return base64.b64decode(url.removeprefix(DATA_URL), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the picture's data URL is no base64: {error}") from error
