"""A still portrait in the camera's stead, that speaks and looks about: moved by a face, by a voice, or by nobody."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, field_validator, model_validator

from transforms.base import Settings, Transform
from transforms.color import Color
from transforms.context import Context
from transforms.faces.blendshapes import NAMES
from transforms.faces.face import Face
from transforms.frame import NO_CAMERA, Frame, Planes
from transforms.packages.easing import Clock, eased
from transforms.portraits.portrait import BUILT_IN, MAX_IMAGE, PATTERN, check, load_portrait

if TYPE_CHECKING:
    from transforms.avatars.motion import Motion
    from transforms.avatars.puppet import Puppet
    from transforms.avatars.stage import Stage
    from transforms.faces.mouth import Light
    from transforms.speech.mouth_shape import Speaker

COMING, GOING = 0.25, 0.5
"""Seconds in which a face that comes has moved the portrait 63 % of its way, and one that is gone has let go of it."""

LED = 0.15, 0.6
"""Presence of a face below which sound is waited for again, and above which it is not any more."""

NODDING = 0.3
"""Seconds over which the loudness of a voice is averaged, by which a head moves along."""

NOD = {"browInnerUp": 0.25, "browOuterUpLeft": 0.15, "browOuterUpRight": 0.15}, 3.0
"""Of a loud voice: weights, and degrees by which the head rises."""

BREATH = 0.11
"""cm by which the chest rises and falls."""

SATURATION = 0.6
"""Share of a shape that the portrait has already by which less is added: a smile on a smile is not two smiles."""

LIDS = tuple((NAMES.index(f"eyeBlink{side}"), NAMES.index(f"eyeSquint{side}")) for side in ("Left", "Right"))

SQUINT = 0.4
"""Weight of a squint that a blink brings with it: the lower lid comes to meet the upper one."""

FADE = 0.3
"""Seconds from one layout to another."""


USUAL = 1280, 720
"""Size of frames for which all is made ready before the first one comes; another one takes a tenth of a second or two."""

Fit = Literal["head", "fill", "whole"]


class AvatarSettings(Settings):
    portrait: str = Field(
        default="mask",
        max_length=MAX_IMAGE,
        pattern=PATTERN,
        title="Portrait",
        description="Who is shown: a drawn mask, which is nobody, or a picture of one person from the front, as a PNG.",
        json_schema_extra={"examples": [*BUILT_IN], "contentMediaType": "image/png"},
    )
    consent: bool = Field(
        default=False,
        title="Consent",
        description="The person in the portrait has agreed to this use of their face. Without it only the mask is shown.",
    )
    driver: Literal["both", "face", "voice"] = Field(
        default="both",
        title="Moved by",
        description="The face before the camera, the sound, or both: the face while one is seen, and else the sound.",
    )
    expression: float = Field(
        default=100,
        ge=0,
        le=150,
        title="Expression",
        description="How strongly the portrait's face moves, by the live one.",
        json_schema_extra={"unit": "%"},
    )
    head: float = Field(
        default=100,
        ge=0,
        le=150,
        title="Head",
        description="How far the portrait's head turns, by the live one.",
        json_schema_extra={"unit": "%"},
    )
    idle: bool = Field(
        default=True, title="Idle", description="Blinks, breathes and sways while no face moves it; else it waits as it is."
    )
    fit: Fit = Field(
        default="head",
        title="Fit",
        description="As near as before a webcam, cut to fill the frame, or the whole portrait; where it does not fill the frame, "
        "its own blurred colours do.",
    )

    @field_validator("portrait")
    @classmethod
    def _readable(cls, portrait: str) -> str:
        # The header only, since this may run where nothing may take long.
        return check(portrait)

    @model_validator(mode="after")
    def _agreed(self) -> AvatarSettings:
        if self.portrait not in BUILT_IN and not self.consent:
            raise ValueError("a person's portrait needs that person's consent: once you have it, set consent to true")
        return self


class _Kind(NamedTuple):
    """Of frames."""

    width: int
    height: int
    color: Color
    device: torch.device
    fit: Fit


class _Mounted(NamedTuple):
    """The portrait, ready for frames of one kind."""

    key: _Kind
    stage: Stage
    puppet: Puppet
    light: Light | None


class Avatar(Transform[AvatarSettings]):
    """Not a pixel of the camera is shown, so it fails closed: it may be there to hide who is before it."""

    title = "Avatar"
    summary = "Shows a portrait instead of the camera, and lets it follow a face, speak with a voice, or idle."
    settings_type = AvatarSettings
    fails_closed = True
    makes_pictures: ClassVar[bool] = True

    def __init__(self, settings: AvatarSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._clock = Clock()
        self._expression, self._head, self._idle = _numbers(settings)
        self._face: int | None = None
        self._presence = 0.0
        """How much of the movement is the live face's."""
        self._led = False
        """Whether it is mostly that, which does not change for a face that is hidden for a moment."""
        self._loudness = 0.0
        self._speaker: Speaker | None = None
        self._mounted: _Mounted | None = None
        self._shown: Planes | None = None
        self._old: Planes | None = None
        self._fade = 1.0

    def prepare(self) -> None:
        """Raises NotPrepared or ValueError, with a sentence, for a picture that is no portrait."""
        from transforms.avatars.follower import Follower
        from transforms.avatars.motion import Motion
        from transforms.avatars.setting import set_apart
        from transforms.speech.mouth_shape import Speaker

        portrait = load_portrait(self.settings.portrait, self.context)
        self._setting = set_apart(portrait, self.context)
        # By how much each weight is multiplied.
        self._room = 1 - SATURATION * portrait.blendshapes
        self._mounted = self._made(_Kind(*USUAL, Color(), self.context.device, self.settings.fit))
        self._follower = Follower()
        self._live = Motion.of()
        if self.settings.driver != "face":
            self._speaker = Speaker(self.context.listen())
        if self.settings.driver != "voice":
            _ = self.context.faces

    @property
    def sound_delay(self) -> float:
        # A face's own mouth is in time with its sound already.
        return self._speaker.latency if self._speaker is not None and not self._led else 0.0

    def accepts(self, settings: AvatarSettings) -> bool:
        return (settings.portrait, settings.driver) == (self.settings.portrait, self.settings.driver)

    def close(self) -> None:
        if self._speaker is not None:
            self._speaker.close()

    def process(self, frame: Frame) -> Frame:
        elapsed, now = self._clock(frame), float(frame.pts * frame.time_base)
        if self._speaker is not None:
            self._speaker.hear(frame.pts, frame.time_base)
        self._follow(frame, now, elapsed)
        goals = _numbers(self.settings)
        here = self._expression, self._head, self._idle
        self._expression, self._head, self._idle = (eased(one, goal, elapsed) for one, goal in zip(here, goals, strict=True))
        motion = self._motion(frame, now, elapsed)
        mounted = self._mount(frame)
        planes = self._drawn(mounted, motion, self._breath(now, mounted.puppet.pose.scale))
        self._shown = planes
        frame.replace(self._faded(planes, elapsed))
        return frame

    def _follow(self, frame: Frame, now: float, elapsed: float) -> None:
        """Looks for the face that moves the portrait: the one that did, or else the largest."""
        face: Face | None = None
        if self.settings.driver != "voice" and NO_CAMERA not in frame.notes:
            faces = self.context.faces.track(frame).faces
            face = next((one for one in faces if one.id == self._face), None)
            face = face or max(faces, key=lambda one: one.box.side, default=None)
        if face is not None:
            self._face = face.id
            self._live = self._follower(face, self.context.faces.blendshapes(face), now)
        seconds = COMING if face is not None else GOING
        self._presence += (float(face is not None) - self._presence) * (1 - math.exp(-elapsed / seconds))
        self._led = self._presence > (LED[0] if self._led else LED[1])

    def _motion(self, frame: Frame, now: float, elapsed: float) -> Motion:
        from transforms.avatars.idle import idle
        from transforms.avatars.motion import Motion
        from transforms.avatars.puppet import Turn

        alone = 1 - self._presence
        motion = self._live.scaled(self._expression * self._presence, self._head * self._presence)
        motion += idle(now).scaled(alone * self._idle, alone * self._idle)
        if self._speaker is not None:
            mouth = self._speaker.pose(frame.pts, frame.time_base)
            self._loudness += (mouth.voice - self._loudness) * (1 - math.exp(-elapsed / NODDING))
            brows, rise = NOD
            spoken = Motion(torch.tensor([*mouth.weights, 0.0, 0.0, 0.0]))
            spoken += Motion.of(brows, Turn(pitch=rise)).scaled(self._loudness, self._loudness)
            motion += spoken.scaled(alone * self._expression, alone * self._head)
        return motion

    def _breath(self, now: float, scale: float) -> float:
        from transforms.avatars.idle import breathing

        return BREATH * scale * breathing(now) * self._idle * (1 - self._presence)

    def _drawn(self, mounted: _Mounted, motion: Motion, breath: float) -> Planes:
        from transforms.avatars.motion import SHAPES
        from transforms.faces.mouth import paint_inside, parted

        weights = motion.values[:SHAPES]
        weights = weights * torch.where(weights > 0, self._room, 1.0)
        # The white of an eye would be left along lashes that are not quite where the landmarks are.
        for blink, squint in LIDS:
            weights[squint] += SQUINT * weights[blink].clamp(0, 1)
        stage, puppet = mounted.stage, mounted.puppet
        shown = puppet.show(motion.turn, weights.tolist(), breath)
        picture = Frame(stage.planes, color=stage.color)
        stage.show(picture, shown.field, puppet.box)
        if mounted.light is not None and parted(shown.movement):
            paint_inside(picture, shown.movement, shown.pose, mounted.light)
        return picture.planes

    def _mount(self, frame: Frame) -> _Mounted:
        key = _Kind(frame.width, frame.height, frame.color, frame.device, self.settings.fit)
        if self._mounted is None or self._mounted.key != key:
            if self._mounted is not None and self._shown is not None and self._shown.y.shape == frame.planes.y.shape:
                self._old, self._fade = self._shown, 0.0
            self._mounted = self._made(key)
        return self._mounted

    def _made(self, kind: _Kind) -> _Mounted:
        from transforms.avatars.puppet import Puppet
        from transforms.avatars.stage import Stage, laid_out
        from transforms.faces.mouth import light_of

        setting, size = self._setting, (kind.width, kind.height)
        layout = laid_out(setting.landmarks, (setting.rgb.shape[2], setting.rgb.shape[1]), size, kind.fit)
        stage = Stage(setting, layout, size, kind.color, kind.device)
        puppet = Puppet(layout.points(setting.landmarks), layout.box, kind.device)
        return _Mounted(kind, stage, puppet, light_of(Frame(stage.planes, color=kind.color), puppet.landmarks))

    def _faded(self, planes: Planes, elapsed: float) -> Planes:
        """From what another layout showed last."""
        self._fade = min(1.0, self._fade + elapsed / FADE)
        old = self._old
        if old is None or self._fade == 1.0 or old.y.shape != planes.y.shape or old.y.device != planes.y.device:
            self._old = None
            return planes
        mixed = (torch.lerp(was.float(), now.float(), self._fade) for was, now in zip(old, planes, strict=True))
        return Planes(*(plane.add_(0.5).to(torch.uint8) for plane in mixed))


def _numbers(settings: AvatarSettings) -> tuple[float, float, float]:
    """What is eased, as shares of one."""
    return settings.expression / 100, settings.head / 100, float(settings.idle)
