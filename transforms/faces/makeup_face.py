"""One face, made up frame after frame."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.faces.face import Face
from transforms.faces.makeup_guard import Guard
from transforms.faces.makeup_paint import Area, Paint, mean, pooled, read, stain, tint, write
from transforms.faces.makeup_shapes import LID_ANCHORS, LIP_ANCHORS, Shapes, shapes
from transforms.faces.makeup_skin import Skin, foundation
from transforms.faces.raster import around, polygon
from transforms.frame import Box, Frame
from transforms.people.resize import double

APPEARING = 0.15
"""Seconds in which a newcomer's make-up has come 63 % of its way."""

LEARNING = 0.4
"""Seconds in which the memory of a face's colours has followed a change by 63 %: light changes, noise does not count."""

DOUBTFUL, CERTAIN = 0.5, 0.9
"""Presence at which nothing of the make-up is left, and from which all of it is there."""

LIP_EDGE, LINE_EDGE, BROW_EDGE, LID_EDGE, RIM = 0.015, 0.012, 0.05, 0.05, 0.1
"""Width of the soft edges, by the face's width; the rim is where foundation ends."""

LEAST_EDGE = 1.5
"""px: a sharper edge would show its steps."""

BLUSH_BODY, SHADOW_BODY, BROW_BODY = 0.2, 0.75, 0.7
"""How much of the luma each replaces: blush is a hue of the skin, lids and hair keep some of their own."""

BLUSH = 0.6
"""What full opacity is for blush: more looks like paint."""

POWDER = 0.2
"""How strongly brows are coloured where there is no hair."""

BLUSH_SIZE = 3.5
"""Fall of the bell that blush is, along the axes of a cheek: at half of them 42 % are left."""


class Paints(NamedTuple):
    """What to put on, as it is now."""

    lipstick: Paint
    blush: Paint
    shadow: Paint
    liner: Paint
    brows: Paint
    foundation: Paint
    smoothing: float
    """Of the skin, 0 to 1."""

    def lit(self, light: float) -> Paints:
        """In that much of ordinary light."""
        lipstick, blush, shadow, liner, brows, foundation = (paint.lit(light) for paint in self[:6])
        return Paints(lipstick, blush, shadow, liner, brows, foundation, self.smoothing)


class MadeUpFace:
    """Keeps what must not tremble: how much of the make-up shows, and the colours of what is under it."""

    def __init__(self, frame: Frame, face: Face, shown: bool) -> None:
        """``shown`` at once, or fading in."""
        self._shown = 1.0 if shown else 0.0
        self._memory: dict[str, Tensor] = {}
        self._guard = Guard(frame, shapes(face.landmarks).anchors, face.outline.width)

    def paint(self, frame: Frame, face: Face, paints: Paints, elapsed: float) -> None:
        """Draws into the frame's planes, so many seconds after the last time."""
        self._shown += (1.0 - self._shown) * _share(elapsed, APPEARING)
        self._learning = _share(elapsed, LEARNING)
        loops, width = shapes(face.landmarks), max(face.outline.width, 1.0)
        self._guard.look(frame, loops.anchors, width, elapsed)
        share = min(1.0, max(0.0, (face.presence - DOUBTFUL) / (CERTAIN - DOUBTFUL)))
        shown = self._shown * share * share * (3 - 2 * share)
        if shown < 1 / 255:
            return
        light = self._guard.light
        if light < 1:
            paints = paints.lit(light)
        if max(paints.foundation.opacity, paints.smoothing, paints.blush.opacity, paints.shadow.opacity) > 0:
            self._soft(frame, loops, paints, width, shown)
        if paints.brows.opacity > 0:
            self._brows(frame, loops.brows, paints.brows, width * BROW_EDGE, shown)
        if paints.liner.opacity > 0:
            self._line(frame, loops.liner, paints.liner, width * LINE_EDGE, shown)
        if paints.lipstick.opacity > 0:
            self._lips(frame, loops.lips, paints.lipstick, width * LIP_EDGE, shown)

    def _soft(self, frame: Frame, loops: Shapes, paints: Paints, width: float, shown: float) -> None:
        """What has no sharp edges is put on at the chroma's size, and only the change of luma is enlarged."""
        box = around(loops.skin, width * RIM / 2 + 2, (frame.width, frame.height))
        if box.empty:
            return
        half, whole = _halved(box), read(frame, box)
        before = Area(pooled(whole.y), whole.uv)
        outline = polygon(loops.skin / 2, half, max(1.0, width * RIM / 2))
        skin = Skin(before, outline, width / 2)
        tone = self._recall("tone", skin.mean)
        mask = skin.likelihood(tone).mul_(outline).mul_(shown)
        area = before
        if paints.foundation.opacity > 0 or paints.smoothing > 0:
            area = foundation(area, skin, mask, tone, paints.foundation, paints.smoothing)
        if paints.blush.opacity > 0:
            spots = _spots(loops.cheeks / 2, half, self._guard.sides()).mul_(mask).mul_(paints.blush.opacity * BLUSH)
            area = stain(area, spots, paints.blush, tone[0], BLUSH_BODY)
        if paints.shadow.opacity > 0:
            area = self._shadow(area, half, loops.shadow / 2, paints.shadow, width * LID_EDGE / 2, shown)
        change = double((area.y - before.y)[None])[0, : box.height, : box.width]
        write(frame, box, Area(whole.y + change, area.uv))

    def _shadow(self, area: Area, box: Box, loop: Tensor, paint: Paint, edge: float, shown: float) -> Area:
        """All in px of the chroma; ``box`` is where the area lies."""
        edge = max(1.0, edge)
        lids = around(loop, edge, (box.right, box.bottom))
        lids = Box(max(lids.left, box.left), max(lids.top, box.top), lids.right, lids.bottom)
        if lids.empty:
            return area
        part = (..., slice(lids.top - box.top, lids.bottom - box.top), slice(lids.left - box.left, lids.right - box.left))
        under, mask = Area(area.y[part], area.uv[part]), polygon(loop, lids, edge)
        level = self._recall("lids", mean(under.y, mask))
        visible = self._guard.visible(LID_ANCHORS, under, lids)
        if visible is not None:
            mask = mask * visible
        y, uv = area.y.clone(), area.uv.clone()
        y[part], uv[part] = tint(under, mask * (paint.opacity * shown), paint, level, keep=0.9, body=SHADOW_BODY)
        return Area(y, uv)

    def _lips(self, frame: Frame, loop: Tensor, paint: Paint, edge: float, shown: float) -> None:
        box, area, mask = _cut(frame, loop, edge)
        if not box.empty:
            mask = self._uncovered(mask, LIP_ANCHORS, area, box)
            # Of what is lip for certain: at the edge of small lips there is as much skin, or shadow between them.
            level = self._recall("lips", mean(area.y, mask.pow(6)))
            write(frame, box, tint(area, mask * (paint.opacity * shown), paint, level))

    def _line(self, frame: Frame, loop: Tensor, paint: Paint, edge: float, shown: float) -> None:
        box, area, mask = _cut(frame, loop, edge)
        if not box.empty:
            mask = self._uncovered(mask, LID_ANCHORS, area, box)
            level = self._recall("liner", mean(area.y, mask))
            write(frame, box, tint(area, mask * (paint.opacity * shown), paint, level, keep=0.6))

    def _brows(self, frame: Frame, loop: Tensor, paint: Paint, edge: float, shown: float) -> None:
        box, area, mask = _cut(frame, loop, edge)
        if not box.empty:
            level = self._recall("brows", mean(area.y, mask))
            hair = (level * 1.1 - area.y).div_((level * 0.3).clamp(min=1.0)).clamp_(0.0, 1.0)
            level = self._recall("hair", mean(area.y, mask * hair))
            mask = mask * hair.mul_(1 - POWDER).add_(POWDER)
            write(frame, box, tint(area, mask * (paint.opacity * shown), paint, level, body=BROW_BODY))

    def _uncovered(self, mask: Tensor, which: slice, area: Area, box: Box) -> Tensor:
        """The mask without what something covers."""
        visible = self._guard.visible(which, Area(pooled(area.y), area.uv), _halved(box))
        return mask if visible is None else mask * double(visible[None])[0, : box.height, : box.width]

    def _recall(self, name: str, now: Tensor) -> Tensor:
        """The value as it was lately, after it has learnt from the present."""
        known = self._memory.get(name)
        self._memory[name] = now if known is None else torch.lerp(known, now, self._learning)
        return self._memory[name]


def _cut(frame: Frame, loop: Tensor, edge: float) -> tuple[Box, Area, Tensor]:
    """Where a shape is in the frame, what is there, and its mask. Of an empty box the rest is empty too."""
    edge = max(LEAST_EDGE, edge)
    box = around(loop, edge, (frame.width, frame.height))
    box = Box(0, 0, 0, 0) if box.empty else box
    return box, read(frame, box), polygon(loop, box, edge)


def _halved(box: Box) -> Box:
    """In px of the chroma."""
    return Box(box.left // 2, box.top // 2, -(-box.right // 2), -(-box.bottom // 2))


def _spots(points: Tensor, box: Box, strength: Tensor) -> Tensor:
    """(h, w) 0 to 1, a soft spot on each cheek, which lies on it as it turns; points (2, 5, 2) in the box's px, strength (2,)."""
    apple, outer, inner, upper, lower = points.unbind(1)
    middle, along, down = apple + 0.25 * (outer - apple), outer - inner, lower - upper
    area = along[:, 0] * down[:, 1] - along[:, 1] * down[:, 0]
    # A cheek that is seen from the side is a line: its spot fades with its width.
    facing = (area.abs() / (along.square().sum(1) + down.square().sum(1)).clamp(min=1e-3) * 3).clamp(max=1.0)
    safe = torch.where(area.abs() < 1.0, torch.ones_like(area), area)[:, None, None]
    x = torch.arange(box.left, box.right, device=points.device) + 0.5 - middle[:, :1]
    y = torch.arange(box.top, box.bottom, device=points.device) + 0.5 - middle[:, 1:]
    # How far along both axes a pixel lies.
    a = (x * down[:, 1:])[:, None] - (y * down[:, :1])[:, :, None]
    b = (y * along[:, :1])[:, :, None] - (x * along[:, 1:])[:, None]
    spots = a.square_().add_(b.square_()).mul_(-BLUSH_SIZE / safe.square()).exp_()
    return (spots * (facing * strength)[:, None, None]).sum(0).clamp_(max=1.0)


def _share(elapsed: float, constant: float) -> float:
    return 1 - math.exp(-max(0.0, elapsed) / constant)
