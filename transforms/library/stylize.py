"""Redraws the picture: all of it as a painting, or every face as a drawing."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator

from transforms.base import Settings, Transform
from transforms.context import Context
from transforms.frame import Frame
from transforms.styles.drawings import Drawings, Hanging
from transforms.styles.painter import STYLES
from transforms.styles.painting import Painting

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way, as elsewhere."""

DRAWN = ("sketch", "ink", "oil")

Index = Annotated[int, Field(ge=0, lt=STYLES)]
Weight = Annotated[float, Field(ge=0, le=100)]


class StylizeSettings(Settings):
    style: Literal["painting", "sketch", "ink", "oil"] = Field(
        default="painting",
        title="Style",
        description="All of the picture as a painting, or faces drawn anew in coloured pencil, ink or oil (30 MB that are "
        "fetched when first asked for).",
    )
    strength: float = Field(
        default=100,
        ge=0,
        le=100,
        title="Strength",
        description="How much of the drawing shows over the picture.",
        json_schema_extra={"unit": "%"},
    )
    painting: int = Field(
        default=12,
        ge=0,
        le=STYLES - 1,
        title="Painting",
        description="Which of the 26.",
        json_schema_extra={"when": {"style": "painting"}},
    )
    second: int = Field(
        default=19,
        ge=0,
        le=STYLES - 1,
        title="Second painting",
        description="Another one, to mix with the first.",
        json_schema_extra={"when": {"style": "painting"}},
    )
    mix: float = Field(
        default=0,
        ge=0,
        le=100,
        title="Mix",
        description="How much of the second painting is in the mixture.",
        json_schema_extra={"unit": "%", "when": {"style": "painting"}},
    )
    mixture: dict[Index, Weight] = Field(
        default_factory=dict,
        title="Mixture",
        description="Weights by the number of the painting, for a mixture of more than two, which replaces them.",
        json_schema_extra={"when": {"style": "painting"}},
    )
    detail: Literal["auto", "coarse", "medium", "fine"] = Field(
        default="auto",
        title="Detail",
        description="Size of the strokes: coarse takes some 50 ms a frame on a CPU, fine 400. Auto is coarse there, and fine "
        "on a GPU.",
        json_schema_extra={"when": {"style": "painting"}},
    )
    edges: float = Field(
        default=50,
        ge=0,
        le=100,
        title="Edges",
        description="How much of the picture's own detail shows through the painting: faces stay faces.",
        json_schema_extra={"unit": "%", "when": {"style": "painting"}},
    )
    area: Literal["face", "head"] = Field(
        default="face",
        title="Area",
        description="The face alone, or the head with its hair, which suits short hair best.",
        json_schema_extra={"when": {"style": [*DRAWN]}},
    )
    natural: float = Field(
        default=50,
        ge=0,
        le=100,
        title="Natural colours",
        description="How much of the face's own colours the drawing takes over: at 0 everybody has the skin of the style.",
        json_schema_extra={"unit": "%", "when": {"style": [*DRAWN]}},
    )
    softness: float = Field(
        default=6,
        ge=1,
        le=25,
        title="Soft edge",
        description="Width of the drawing's soft edge, by the width of the square around the head.",
        json_schema_extra={"unit": "%", "when": {"style": [*DRAWN]}},
    )
    pace: Literal["live", "every"] = Field(
        default="live",
        title="Pace",
        description="On a CPU a drawing takes half a second or more. Live keeps the stream going meanwhile: the newest drawing "
        "follows the face until the next is done. Every draws each frame and waits for it, for files. On a GPU it is every.",
        json_schema_extra={"when": {"style": [*DRAWN]}},
    )

    @field_validator("mixture")
    @classmethod
    def _some(cls, mixture: dict[int, float]) -> dict[int, float]:
        if mixture and not sum(mixture.values()) > 0:
            raise ValueError("of the mixture's weights at least one has to be more than 0")
        return mixture

    @property
    def weights(self) -> list[float]:
        """Of the 26 paintings, adding up to 1."""
        mixture = self.mixture or {self.painting: 100 - self.mix}
        total = sum(mixture.values()) if self.mixture else 100.0
        weights = [mixture.get(index, 0.0) / total for index in range(STYLES)]
        if not self.mixture:
            weights[self.second] += self.mix / 100
        return weights


class Stylize(Transform[StylizeSettings]):
    """Two ways to redraw, of which only that of the style asked for is loaded.

    With ``pace`` live on a CPU the drawing of a frame is not known when it is shown, and depends on how fast the machine is;
    all else gives the same output for the same frames.
    """

    title = "Stylize"
    summary = "Paints the picture in 26 styles, or draws faces anew; on a CPU a drawing follows the face until the next is done."
    settings_type = StylizeSettings

    def __init__(self, settings: StylizeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._time: float | None = None
        self._look = _look(settings)
        self._painting: Painting | None = None
        self._drawings: Drawings | None = None

    def prepare(self) -> None:
        if self.settings.style == "painting":
            self._painting = Painting(self.context)
        else:
            self._drawings = Drawings(self.context, self.settings.style)

    def accepts(self, settings: StylizeSettings) -> bool:
        """What shows the same style; another has weights of its own to be loaded."""
        return settings.style == self.settings.style

    def process(self, frame: Frame) -> Frame:
        now = float(frame.pts * frame.time_base)
        elapsed = now - self._time if self._time is not None else math.inf
        self._time = now
        self._ease(elapsed)
        strength, edges, natural, softness, *weights = self._look
        if self._painting is not None:
            self._painting.process(frame, elapsed, weights, self.settings.detail, strength, edges)
        elif self._drawings is not None:
            live, head = self.settings.pace == "live", self.settings.area == "head"
            self._drawings.process(frame, now, Hanging(strength, natural, softness, head), live=live)
        return frame

    def close(self) -> None:
        if self._drawings is not None:
            self._drawings.close()

    def _ease(self, elapsed: float) -> None:
        share = 1 - math.exp(-max(0.0, elapsed) / EASING)
        self._look = [
            goal if abs(goal - now) < 1e-3 else now + share * (goal - now)
            for now, goal in zip(self._look, _look(self.settings), strict=True)
        ]


def _look(settings: StylizeSettings) -> list[float]:
    """All that can be seen as numbers that can be eased: strength, edges, colours, softness, weights of the paintings."""
    return [settings.strength / 100, settings.edges / 100, settings.natural / 100, settings.softness / 100, *settings.weights]
