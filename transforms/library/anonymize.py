"""Makes people unrecognisable: hides every head in the picture, and rather too much than a face."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from transforms.base import Settings, Transform
from transforms.color import rgb_to_yuv
from transforms.context import Context
from transforms.faces.covers import MOST_EFFORT, Cover, Covers, close_up
from transforms.faces.detector import CLOSE_UP, close_ups
from transforms.faces.head import Head
from transforms.faces.veil import Kind, bells, blocks, spread
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
        self._look = _look(settings)
        self._known = False
        self._size = (0, 0)
        self._time = 0.0
        self._found: list[Box] = []

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
        # Where faces are followed, what is new is found in the picture that is about to be shown, so that the detector
        # need not look at every picture twice; only what it found there last time is looked for in the untouched one.
        closely = self._found if known else list(close_ups(*self._size, CLOSE_UP))
        tracking = self.context.faces.track(frame, closely=closely or None)
        self._ease(elapsed)
        covers = self._covers.update(tracking, now, self.settings.hold)
        if not known or self._covers.overflowing or not self._hidden(frame, covers, tracking.detected, now):
            self._hide(frame, None, 0)
        self._known = True
        return frame

    def _hidden(self, frame: Frame, covers: list[Cover], detected: bool, now: float) -> bool:
        """Draws the covers, looks at the result with the detector's eyes, and adds what it takes until no face is seen.

        False where that does not succeed, and everything has to be hidden.
        """
        self._found = []
        if not covers and detected:
            return True
        areas = self._covers.inspect(self._size)
        for _ in range(ROUNDS):
            for cover in covers:
                self._hide(frame, cover.area(now), cover.effort)
            seen = self.context.faces.look(frame, areas)
            covers = self._covers.check(seen, self._size, now)
            if not covers:
                return True
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
        masks: list[Tensor] | None = None
        if head is None:
            # A head may be nearly as large as the picture.
            box, centre, unit = frame.box, (frame.width / 2, frame.height / 2), max(2.0, strength * min(self._size))
        else:
            unit, soft = max(2.0, 2 * head.across * strength), max(1.0, 2 * head.across * feather)
            head = head.grown(head.across * margin)
            box, centre = _around(head, soft, frame), (head.x, head.y)
            if box.empty:
                return
            masks = _masks(head, soft, box, frame.device)
        weights, codes = self._mixture(frame, effort)
        y, u, v = frame.writable()
        chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
        luma = [y[box.top : box.bottom, box.left : box.right]]
        for step, planes, base in ((1, luma, codes[:1]), (2, [u[chroma], v[chroma]], codes[1:])):
            picture = torch.stack(planes).float()
            veil = base[:, None, None].expand_as(picture)
            for weight, kind in weights:
                down = kind(box.top, picture.shape[1], step, centre[1], unit, frame.device)
                across = kind(box.left, picture.shape[2], step, centre[0], unit * (STRETCH if effort else 1), frame.device)
                veil = veil + spread(picture, down, across, weight)
            picture = veil.round() if masks is None else picture.lerp_(veil, masks[step - 1]).round_()
            for plane, hidden in zip(planes, picture, strict=True):
                plane.copy_(hidden)

    def _mixture(self, frame: Frame, effort: int) -> tuple[list[tuple[float, Kind]], Tensor]:
        """The styles that leave something of the picture, by weight, and what is added to them: Y, U and V codes (3,)."""
        *styles, solid = self._look[-3:]
        codes = torch.zeros(3, device=frame.device)
        if solid > 0:
            rgb = torch.tensor(self._look[3:6], device=frame.device)[:, None, None].expand(3, 2, 2)
            codes = torch.stack([plane[0, 0] for plane in rgb_to_yuv(rgb, frame.color)]).float() * solid
        left = 1.0
        if effort >= MOST_EFFORT:
            left -= PLAIN
            codes = codes * left + torch.tensor([GREY, 128.0, 128.0], device=frame.device) * PLAIN
        return [(weight * left, kind) for weight, kind in zip(styles, (blocks, bells), strict=True) if weight > 0], codes


def _look(settings: AnonymizeSettings) -> list[float]:
    """All that can be seen as numbers that can be eased: strength, margin, feather, red, green, blue, weight of each style."""
    colour = [int(settings.color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    shares = [settings.strength / 100, settings.margin / 100, settings.feather / 100]
    return [*shares, *colour, *(float(style == settings.style) for style in STYLES)]


def _around(head: Head, soft: float, frame: Frame) -> Box:
    """The head with its soft edge, as far as it is in the picture."""
    # The edge is measured along the shorter axis and is as much wider along the longer one.
    width, height = head.grown(soft * max(1.0, head.down / head.across)).reach
    left, right = (max(-1.0, min(frame.width + 1.0, head.x + side)) for side in (-width, width))
    top, bottom = (max(-1.0, min(frame.height + 1.0, head.y + side)) for side in (-height, height))
    box = Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
    return box.on_chroma_grid(frame.width, frame.height)


def _masks(head: Head, soft: float, box: Box, device: torch.device) -> list[Tensor]:
    """How much is hidden, 0 to 1, for luma and for chroma: all of the head, and less and less in its soft edge."""
    x = torch.arange(box.left + 1, box.right + 1, 2, device=device)[None] - head.x
    y = torch.arange(box.top + 1, box.bottom + 1, 2, device=device)[:, None] - head.y
    cos, sin = math.cos(head.roll), math.sin(head.roll)
    along, down = x * (cos / head.across) + y * (sin / head.across), y * (cos / head.down) - x * (sin / head.down)
    # The exponent 4, by squares: a rounded rectangle covers ears and chin, and looks less like a head than an ellipse.
    radius = along.square_().square_().add_(down.square_().square_()).sqrt_().sqrt_()
    edge = radius.sub_(1).mul_(-head.across / soft).add_(1).clamp_(0, 1)
    chroma = edge.square() * edge.mul(-2).add_(3)
    luma = F.interpolate(chroma[None, None], scale_factor=2, mode="nearest")[0, 0]
    return [luma[: box.height, : box.width], chroma]
