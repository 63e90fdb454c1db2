"""Face swap: a portrait's face onto live ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from transforms.base import Settings, Transform
from transforms.context import Context
from transforms.faces.face import Face
from transforms.frame import Frame
from transforms.portraits.lay import Look
from transforms.portraits.portrait import BUILT_IN, MAX_IMAGE, PATTERN, check, load_portrait
from transforms.portraits.watermark import Watermark

if TYPE_CHECKING:
    from transforms.portraits.worn import WornFace

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way, as elsewhere."""

MEMORY = 1.0
"""Seconds for which a lost face is remembered, as the tracker does."""

LARGER = 1.25
"""By how much a face must be larger than the one that wears the portrait to take it over."""


class FaceswapSettings(Settings):
    portrait: str = Field(
        default="mask",
        max_length=MAX_IMAGE,
        pattern=PATTERN,
        title="Portrait",
        description="Whose face is shown: a drawn mask, which is nobody's, or a picture of one person from the front, as a PNG.",
        json_schema_extra={"examples": [*BUILT_IN], "contentMediaType": "image/png"},
    )
    consent: bool = Field(
        default=False,
        title="Consent",
        description="The person in the portrait has agreed to this use of their face. Without it only the mask is shown.",
    )
    faces: Literal["all", "largest"] = Field(
        default="all", title="Faces", description="Who wears the portrait: everybody in the picture, or the nearest person."
    )
    opacity: float = Field(
        default=100,
        ge=0,
        le=100,
        title="Opacity",
        description="How much of the live face is covered.",
        json_schema_extra={"unit": "%"},
    )
    color_match: float = Field(
        default=100,
        ge=0,
        le=100,
        title="Colour match",
        description="How far the portrait's skin takes on the live one's colour and light.",
        json_schema_extra={"unit": "%"},
    )
    watermark: Literal["none", "visible", "invisible"] = Field(
        default="invisible",
        title="Watermark",
        description="Marks the picture as changed, while a portrait is shown: by a sign in its corner, or by a faint pattern "
        "that a program can find again.",
    )

    @field_validator("portrait")
    @classmethod
    def _readable(cls, portrait: str) -> str:
        # The header only, since this may run where nothing may take long.
        return check(portrait)

    @model_validator(mode="after")
    def _agreed(self) -> FaceswapSettings:
        if self.portrait not in BUILT_IN and not self.consent:
            raise ValueError("a person's portrait needs that person's consent: once you have it, set consent to true")
        return self


class Faceswap(Transform[FaceswapSettings]):
    """Live eyes and what is between live lips are left as they are; lids, lips and all else are the portrait's, moved by the
    live mesh. Hair, what the guard of make-up takes for a hand, and profiles are left alone too."""

    title = "Face swap"
    summary = "Puts a portrait's face onto live ones, in their light, with their expression."
    settings_type = FaceswapSettings

    def __init__(self, settings: FaceswapSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._look = _numbers(settings)
        self._known: dict[int, tuple[float, WornFace]] = {}
        self._chosen: int | None = None
        self._time: float | None = None

    def prepare(self) -> None:
        """Raises NotPrepared or ValueError, with a sentence, for a picture that is no portrait."""
        from transforms.portraits.texture import Texture

        self._texture = Texture(load_portrait(self.settings.portrait, self.context), self.context.device)
        self._watermark = Watermark(self.settings.watermark)
        _ = self.context.faces

    def accepts(self, settings: FaceswapSettings) -> bool:
        return settings.portrait == self.settings.portrait

    def process(self, frame: Frame) -> Frame:
        from transforms.portraits.worn import WornFace

        now = float(frame.pts * frame.time_base)
        first, elapsed = self._time is None, 0.0 if self._time is None else max(0.0, now - self._time)
        self._time = now
        faces = self.context.faces.track(frame).faces
        self._ease(elapsed)
        self._known = {key: (seen, worn) for key, (seen, worn) in self._known.items() if 0 <= now - seen <= MEMORY}
        self._choose(faces)
        opacity, match = self._look
        # A picture of its own until all faces are done: when one fails, nothing was written.
        work = frame.again(frame.pts)
        shown = 0.0
        for face in faces:
            wanted = self.settings.faces == "all" or face.id == self._chosen
            worn = self._known[face.id][1] if face.id in self._known else WornFace(frame, face, shown=first and wanted)
            self._known[face.id] = now, worn
            shown = max(shown, worn.lay(work, face, self._texture, Look(opacity, match), wanted, elapsed))
        self._watermark.mark(work, self.settings.watermark, shown * opacity, elapsed)
        if work.changed:
            frame.replace(work.planes)
        return frame

    def _ease(self, elapsed: float) -> None:
        share = 1 - math.exp(-elapsed / EASING)
        self._look = [
            goal if abs(goal - number) < 1e-3 else number + share * (goal - number)
            for number, goal in zip(self._look, _numbers(self.settings), strict=True)
        ]

    def _choose(self, faces: tuple[Face, ...]) -> None:
        """The largest face; who has been it stays it for as long as nobody is clearly larger."""
        largest = max(faces, key=lambda face: face.box.side, default=None)
        chosen = next((face for face in faces if face.id == self._chosen), None)
        if largest is not None and (chosen is None or largest.box.side > LARGER * chosen.box.side):
            self._chosen = largest.id


def _numbers(settings: FaceswapSettings) -> list[float]:
    """What is eased, as shares of one."""
    return [settings.opacity / 100, settings.color_match / 100]
