"""Exposure and white balance for webcams that get them wrong."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from transforms.base import Settings, Transform
from transforms.context import Context
from transforms.faces.detector import SURE_SCORE
from transforms.faces.face import FaceBox, Tracking
from transforms.faces.tracker import NOTE
from transforms.frame import Frame
from transforms.grading.exposure_meter import Reading, of_faces, of_picture
from transforms.grading.light import balanced, coded, exposed, linear
from transforms.grading.table import Table

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way, as elsewhere."""

PERIOD = 0.2
"""Seconds between two readings: light changes slowly, and what changes fast is not to be followed."""

MEMORY = 3.0
"""Seconds in which a face that has left loses 63 % of its say, so that the picture does not change as it goes."""

REACTION = 0.15
"""Seconds, instead of the setting's, until the first faces have had time to be found, and where the light is way off."""

STARTING = 0.6
"""Seconds for which the start lasts."""

WAY_OFF = 1.5
"""EV by which a reading is another scene: a lamp was switched on, or the camera's own exposure jumped."""

HOLD, REST = 0.25, 0.04
"""How far a reading must be from what is shown for that to begin to move, and how near it must be to end, so that nothing pumps
with somebody's gestures. In EV; colours count fourfold."""

VISIBLE = 0.012
"""The same measure: below 1 % of luminance, so that a step is not seen, and a table not made again for less."""

FACE_LIGHT, FACE_COLOUR = 0.7, 0.6
"""Say of the faces, where there are any, in exposure and in colour."""

_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Of red, green and blue in luminance, BT.709."""


class RestoreLightSettings(Settings):
    exposure: float = Field(
        default=100,
        ge=0,
        le=100,
        title="Exposure",
        description="How much of a wrong exposure is made good. Nothing bright is lost.",
        json_schema_extra={"unit": "%"},
    )
    white_balance: float = Field(
        default=90,
        ge=0,
        le=100,
        title="White balance",
        description="How much of a tinge of the light is taken away.",
        json_schema_extra={"unit": "%"},
    )
    brightness: float = Field(
        default=0,
        ge=-1.5,
        le=1.5,
        title="Brightness",
        description="How much lighter or darker than usual it shall be.",
        json_schema_extra={"unit": "EV"},
    )
    reaction: float = Field(
        default=1.5,
        ge=0.3,
        le=10,
        title="Reaction",
        description="How long it takes to follow a change of the light by two thirds.",
        json_schema_extra={"unit": "s"},
    )


class RestoreLight(Transform[RestoreLightSettings]):
    """Reads the light of the untouched picture some times a second, and eases what it does about it.

    It finds faces in the picture as it has just shown it, since a dark one shows none.
    """

    title = "Restore light"
    summary = "Brightens dark faces and takes colour casts away, as a good webcam does."
    settings_type = RestoreLightSettings

    def __init__(self, settings: RestoreLightSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._time = 0.0
        self._began: float | None = None
        self._read_at: float | None = None
        self._unsearched = False
        self._boxes: tuple[FaceBox, ...] = ()
        self._size = (0, 0)
        self._face = Reading(0.0, 0.0, 0.0)
        self._trust = 0.0
        self._target = Reading(0.0, 0.0, 0.0)
        self._shown = Reading(0.0, 0.0, 0.0)
        self._moving = False
        self._look = _numbers(settings)
        self._baked: tuple[object, Reading, Table] | None = None

    def prepare(self) -> None:
        _ = self.context.faces

    def process(self, frame: Frame) -> Frame:
        now = float(frame.pts * frame.time_base)
        elapsed, self._time = now - self._time, now
        if self._size != (frame.width, frame.height) or elapsed < 0:
            self._size, self._boxes, self._read_at = (frame.width, frame.height), (), None
        due = self._read_at is None or not 0 <= now - self._read_at < PERIOD
        if due:
            self._read(frame, now)
        self._ease(now, max(0.0, elapsed))
        table = self._table(frame)
        if table is not None:
            frame.replace(table(frame.planes))
        # Not in the frame that was read, so that none takes much longer than the others.
        if self._unsearched and not due:
            self._boxes, self._unsearched = self._find(frame), False
        return frame

    def _read(self, frame: Frame, now: float) -> None:
        elapsed = 0.0 if self._read_at is None else now - self._read_at
        self._read_at, self._unsearched = now, True
        face = of_faces(frame, self._boxes)
        if face is None:
            self._trust *= math.exp(-elapsed / MEMORY)
        else:
            self._face, self._trust = face, 1.0
        self._target = of_picture(frame).mixed(self._face, FACE_LIGHT * self._trust, FACE_COLOUR * self._trust)

    def _find(self, frame: Frame) -> tuple[FaceBox, ...]:
        known = frame.notes.get(NOTE)
        if isinstance(known, Tracking) and known.size == self._size and known.faces:
            return tuple(face.box for face in known.faces)
        return tuple(seen.box for seen in self.context.faces.look(frame) if seen.score >= SURE_SCORE)

    def _ease(self, now: float, elapsed: float) -> None:
        share = 1 - math.exp(-elapsed / EASING)
        goal = _numbers(self.settings)
        self._look = [b if abs(b - a) < 1e-3 else a + share * (b - a) for a, b in zip(self._look, goal, strict=True)]
        if self._began is None:
            self._began, self._shown = now, self._target
        starting = 0 <= now - self._began < STARTING
        distance = _distance(self._shown, self._target)
        self._moving = starting or distance > (REST if self._moving else HOLD)
        if self._moving:
            seconds = REACTION if starting or distance > WAY_OFF else self.settings.reaction
            share = 1 - math.exp(-elapsed / seconds)
            self._shown = self._shown.mixed(self._target, share, share)

    def _table(self, frame: Frame) -> Table | None:
        exposure, colour, brightness = self._look
        wanted = Reading(self._shown.exposure * exposure + brightness, self._shown.warmth * colour, self._shown.tint * colour)
        moving = self._moving or self._look != _numbers(self.settings)
        key = (frame.color, frame.device, moving)
        if self._baked is None or self._baked[0] != key or _distance(self._baked[1], wanted) > VISIBLE:
            if wanted == Reading(0.0, 0.0, 0.0):
                self._baked = None
                return None
            gains = torch.diag(torch.tensor(_gains(wanted))).to(frame.device)

            def change(rgb: Tensor) -> Tensor:
                return coded(exposed(balanced(linear(rgb), gains), 2**wanted.exposure))

            self._baked = (key, wanted, Table(change, frame.color, frame.device, moving))
        return self._baked[2]


def _numbers(settings: RestoreLightSettings) -> list[float]:
    return [settings.exposure / 100, settings.white_balance / 100, settings.brightness]


def _distance(one: Reading, other: Reading) -> float:
    """In EV; colours count fourfold."""
    return max(abs(a - b) * weight for a, b, weight in zip(one, other, (1, 4, 4), strict=True))


def _gains(wanted: Reading) -> list[float]:
    """Of red, green and blue, such that the luminance of grey stays."""
    ratios = [math.exp(wanted.tint + wanted.warmth), 1.0, math.exp(wanted.tint - wanted.warmth)]
    mean = sum(weight * ratio for weight, ratio in zip(_WEIGHTS, ratios, strict=True))
    return [ratio / mean for ratio in ratios]
