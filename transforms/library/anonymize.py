"""Makes people unrecognisable: hides every head in the picture, and rather too much than a face."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field

from transforms.base import Settings, Transform
from transforms.color import Color, rgb_to_yuv
from transforms.context import Context
from transforms.faces.covers import MOST_EFFORT, Cover, Covers, close_up
from transforms.faces.detector import CLOSE_UP, close_ups
from transforms.faces.head import Head
from transforms.faces.stencil import Shape, Stencils
from transforms.faces.tracker import NOTE
from transforms.faces.veil import Kind, bells, blocks
from transforms.frame import Box, Frame

STYLES = ("pixelate", "blur", "solid")

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way: follows a slider, and nothing pops."""

ROUNDS = 3
"""Looks at the result, at most, before everything is hidden: as asked for, and with each step of effort."""

STRETCH = 2.0
"""The first step of effort: blocks and blur that many times as wide as high, in which the detector sees far fewer faces."""

WIDER, SOFTER, PLAIN, GREY = 0.2, 0.12, 0.85, 112
"""The second: a larger area, at least this soft an edge, and this share of the detail given up for a luma. Of heads that
the detector recognised by their hair around a plain patch, one in fifty was left."""

REACH = 4.0
"""Times its own size that what hides a head reaches at most, with the widest margin and the softest edge."""

COARSE = 16
"""px between the pixels that tell whether the picture has become another one."""

CUT = 8.0
"""Mean difference of luma codes to the frame before, from which it may have: talking heads stay under 4, cuts are over 15."""

PAUSE = 5.0
"""Seconds without a frame after which nothing is known any more; a second of the usual would be too strict for slides."""


class AnonymizeSettings(Settings):
    style: Literal["pixelate", "blur", "solid"] = Field(
        default="pixelate", title="Style", description="Blocks, a blur, or one colour over the whole head."
    )
    strength: float = Field(
        default=25,
        ge=12,
        le=50,
        title="Strength",
        description="Size of a block, or reach of the blur, by the head's width. Even the least hides who it is.",
        json_schema_extra={"unit": "%"},
    )
    margin: float = Field(
        default=15,
        ge=0,
        le=100,
        title="Margin",
        description="How much more than the head is hidden, by its size: for big hair, or to be on the safe side.",
        json_schema_extra={"unit": "%"},
    )
    feather: float = Field(
        default=5,
        ge=0,
        le=50,
        title="Soft edge",
        description="Width of the soft edge around what is hidden, by the head's width. It lies outside and hides nothing less.",
        json_schema_extra={"unit": "%"},
    )
    color: str = Field(
        default="#a6a6a6",
        pattern=r"^#[0-9a-fA-F]{6}$",
        title="Colour",
        description="Of the solid style.",
        json_schema_extra={"format": "color", "when": {"style": "solid"}},
    )
    hold: float = Field(
        default=1,
        ge=1,
        le=10,
        title="Hold",
        description="How long the place of a face that is lost from sight stays hidden, and grows.",
        json_schema_extra={"unit": "s"},
    )


class Anonymize(Transform[AnonymizeSettings]):
    """Hides heads; what it does not know, it hides too.

    The whole picture is hidden in the first frame, after an error, after a size change and after a pause: the detector has
    looked everywhere once before anything is shown. From then on it looks at every frame. A face that is lost stays
    hidden where it was (``Covers``), and a doubtful detection counts as a face. What is about to be shown is looked at by the
    detector as well, and hidden better for as long as it still sees a face in it.
    """

    title = "Anonymize"
    summary = "Hides every head by blocks, blur or one colour, and shows nothing rather than a face."
    settings_type = AnonymizeSettings
    fails_closed = True

    def __init__(self, settings: AnonymizeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._covers = Covers()
        self._stencils = Stencils(context.device)
        self._look = _look(settings)
        self._known = False
        self._size = (0, 0)
        self._time = 0.0
        self._found: list[Box] = []
        self._coarse = torch.empty((0, 0), dtype=torch.int16)
        self._coasted = False

    def prepare(self) -> None:
        _ = self.context.faces

    def process(self, frame: Frame) -> Frame:
        # Whatever is raised below leaves nothing known, so that the next frame is hidden as a whole.
        known, self._known = self._known, False
        now = float(frame.pts * frame.time_base)
        elapsed, self._time = now - self._time, now
        size, self._size = self._size, (frame.width, frame.height)
        if not known or size != self._size or not 0 <= elapsed <= PAUSE:
            known = False
            if size != self._size or not 0 <= elapsed <= PAUSE:
                self._covers.clear()
        self._stencils.begin()
        self._ease(elapsed)
        coasting = self._calm(frame, now) and known
        if coasting:
            covers, detected = self._covers.coast(now), False
        else:
            # Where faces are followed, what is new is found in the picture that is about to be shown, so that the detector
            # need not look at every picture twice; only what it found there last time is looked for in the untouched one.
            closely = self._found if known else list(close_ups(*self._size, CLOSE_UP))
            tracking = self.context.faces.track(frame, closely=closely or None)
            covers, detected = self._covers.update(tracking, now, self.settings.hold), tracking.detected
        # Both kinds of frame are to take about equally long.
        looks = 2 if coasting else 0 if self._coasted else 1
        self._coasted = coasting
        areas = [area for _ in range(looks) for area in self._covers.inspect(self._size)]
        if not known or self._covers.overflowing or not self._hidden(frame, covers, areas, detected, now):
            self._hide(frame, None, 0)
        self._known = True
        return frame

    def _calm(self, frame: Frame, now: float) -> bool:
        """Whether faces need not be looked for in this frame: nothing moves much, and nobody has looked for them already."""
        coarse = frame.planes.y[::COARSE, ::COARSE].to(torch.int16)
        before, self._coarse = self._coarse, coarse
        if self._found or NOTE in frame.notes or not self._covers.calm(now) or before.shape != coarse.shape:
            return False
        return float((coarse - before).abs_().float().mean()) <= CUT

    def _hidden(self, frame: Frame, covers: list[Cover], areas: list[Box], detected: bool, now: float) -> bool:
        """Draws the covers, looks at the result with the detector's eyes, and adds what it takes until no face is seen.

        False where that does not succeed, and everything has to be hidden.
        """
        self._found = []
        if not covers and detected:
            return True
        for _ in range(ROUNDS):
            for cover in covers:
                self._hide(frame, cover.outline(now), cover.effort)
            seen = self.context.faces.look(frame, areas)
            covers = self._covers.check(seen, self._size, now)
            if not covers:
                return True
            # Nothing has changed in the others since they were looked at.
            areas = [area for area in areas if any(_meet(area, cover.area(now)) for cover in covers)]
            self._found += [close_up(cover.head, self._size) for cover in covers if cover.id is None and cover.first == now]
        return False

    def _ease(self, elapsed: float) -> None:
        share = 1 - math.exp(-max(0.0, elapsed) / EASING)
        target = _look(self.settings)
        self._look = [
            goal if abs(goal - now) < 1e-3 else now + share * (goal - now) for now, goal in zip(self._look, target, strict=True)
        ]

    def _hide(self, frame: Frame, head: Head | None, effort: int) -> None:
        """Hides a head, or everything, with some steps of effort beyond the settings."""
        strength, margin, feather, *_ = self._look
        if effort >= MOST_EFFORT:
            margin, feather = margin + WIDER, max(feather, SOFTER)
        if head is None:
            # A head may be nearly as large as the picture.
            unit, soft = max(2.0, strength * min(self._size)), 0.0
        else:
            unit, soft = max(2.0, 2 * head.across * strength), max(1.0, 2 * head.across * feather)
            head = head.grown(head.across * margin)
        styles, codes = self._mixture(frame.color, effort)
        kinds = tuple(kind for _, kind in styles)
        stencil = self._stencils(Shape(head, soft, unit, STRETCH if effort else 1.0, kinds, frame.width, frame.height))
        if stencil.box.empty:
            return
        box = stencil.box
        y, u, v = frame.writable()
        chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
        parts = [y[box.top : box.bottom, box.left : box.right]], [u[chroma], v[chroma]]
        for planes, base, veils, mask in zip(parts, (codes[:1], codes[1:]), stencil.veils, stencil.masks, strict=True):
            picture = torch.stack(planes).float()
            offset = torch.tensor(base, device=frame.device)[:, None, None]
            hidden = offset.expand_as(picture)
            for number, ((weight, _), veil) in enumerate(zip(styles, veils, strict=True)):
                # What is added is added once, and to the few values, not to all pixels.
                hidden = hidden + veil(picture, weight) if number else veil(picture, weight, offset)
            hidden = hidden.round() if mask is None else picture.lerp_(hidden, mask).round_()
            # By way of int16: torch converts floats straight to bytes one by one.
            for plane, values in zip(planes, hidden.to(torch.int16), strict=True):
                plane.copy_(values)

    def _mixture(self, color: Color, effort: int) -> tuple[list[tuple[float, Kind]], list[float]]:
        """The styles that leave something of the picture, by weight, and what is added to them: Y, U and V codes."""
        *styles, solid = self._look[-3:]
        codes = [0.0, 0.0, 0.0]
        if solid > 0:
            rgb = torch.tensor(self._look[3:6])[:, None, None].expand(3, 2, 2)
            codes = [float(plane[0, 0]) * solid for plane in rgb_to_yuv(rgb, color)]
        left = 1.0
        if effort >= MOST_EFFORT:
            left -= PLAIN
            codes = [code * left + plain * PLAIN for code, plain in zip(codes, (GREY, 128, 128), strict=True)]
        return [(weight * left, kind) for weight, kind in zip(styles, (blocks, bells), strict=True) if weight > 0], codes


def _look(settings: AnonymizeSettings) -> list[float]:
    """All that can be seen as numbers that can be eased: strength, margin, feather, red, green, blue, weight of each style."""
    colour = [int(settings.color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    shares = [settings.strength / 100, settings.margin / 100, settings.feather / 100]
    return [*shares, *colour, *(float(style == settings.style) for style in STYLES)]


def _meet(area: Box, head: Head) -> bool:
    """Whether something of a head, with whatever edge and margin it may be given, is in an area."""
    across, down = (REACH * side for side in head.reach)
    beside = area.left - across <= head.x <= area.right + across
    return beside and area.top - down <= head.y <= area.bottom + down
