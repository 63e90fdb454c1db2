"""Changes the expression of faces: any of ARKit's blendshapes, and moods."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from transforms.base import Transform
from transforms.context import Context
from transforms.faces.expressions import CALMED, ExpressionSettings, weights_of
from transforms.faces.face import Face
from transforms.faces.performance import Lighting, perform
from transforms.faces.pose import pose_of
from transforms.faces.shapes import gaze, moved
from transforms.frame import Frame

EASING = 0.12
"""Seconds in which a changed expression has come 63 % of its way, as elsewhere: quick, and as faces move."""

ARRIVAL = 0.3
"""Seconds over which a face that comes into the picture takes on the expression."""

MEMORY = 1.0
"""Seconds for which a lost face is remembered, as the tracker does."""

STEADY = 0.3
"""Seconds over which the live expression is averaged: its noise must not show."""

NOTHING = 1e-3
"""Weight below which a shape is not seen."""

PROFILE = 0.8, 1.0
"""``Outline.turn`` between which the expression goes back to the live one: of a profile half the mesh is guessed."""


@dataclass(slots=True, eq=False)
class _Known:
    """A face that the expression was shown on; times in seconds of the stream."""

    since: float
    seen: float
    lighting: Lighting = field(default_factory=Lighting)
    live: Tensor | None = None


class Expression(Transform[ExpressionSettings]):
    title = "Expression"
    summary = "Makes faces smile, frown, wonder, wink: moods, and any ARKit blendshape."
    settings_type = ExpressionSettings

    def __init__(self, settings: ExpressionSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._weights = weights_of(settings)
        self._known: dict[int, _Known] = {}
        self._time: float | None = None

    def prepare(self) -> None:
        _ = self.context.faces

    def process(self, frame: Frame) -> Frame:
        now = float(frame.pts * frame.time_base)
        elapsed = 0.0 if self._time is None else max(0.0, now - self._time)
        faces = self.context.faces.track(frame).faces
        self._remember(faces, now)
        self._time = now
        self._ease(elapsed)
        if all(abs(weight) < NOTHING for weight in self._weights):
            return frame
        # A picture of its own until all faces are done: when one fails, nothing was written.
        work = frame.again(frame.pts)
        for face in faces:
            self._show(work, face, self._known[face.id], now, elapsed)
        if work.changed:
            frame.replace(work.planes)
        return frame

    def _ease(self, elapsed: float) -> None:
        share = 1 - math.exp(-elapsed / EASING)
        target = weights_of(self.settings)
        self._weights = [
            goal if abs(goal - weight) < NOTHING else weight + share * (goal - weight)
            for weight, goal in zip(self._weights, target, strict=True)
        ]

    def _remember(self, faces: tuple[Face, ...], now: float) -> None:
        """Who is here at the beginning has the expression at once."""
        since = -math.inf if self._time is None else now
        for face in faces:
            self._known.setdefault(face.id, _Known(since, now)).seen = now
        self._known = {key: known for key, known in self._known.items() if 0 <= now - known.seen <= MEMORY}

    def _show(self, frame: Frame, face: Face, known: _Known, now: float, elapsed: float) -> None:
        start, end = PROFILE
        front = min(1.0, max(0.0, (end - abs(face.outline.turn)) / (end - start)))
        amount = front * min(1.0, max(0.0, (now - known.since) / ARRIVAL))
        weights = [weight * amount for weight in self._weighted(face, known, elapsed)]
        if all(abs(weight) < NOTHING for weight in weights):
            return
        pose = pose_of(face.landmarks)
        target, eyes = moved(face.landmarks, pose, weights), gaze(pose, weights, frame.device)
        perform(frame, face.landmarks, target, eyes, pose, known.lighting, now)

    def _weighted(self, face: Face, known: _Known, elapsed: float) -> list[float]:
        """The weights for one face: those wished for, less what is to be taken back of its own."""
        *weights, calm = self._weights
        if calm < NOTHING:
            known.live = None
            return weights
        live = self.context.faces.blendshapes(face)
        share = 1 - math.exp(-elapsed / STEADY)
        known.live = live if known.live is None else torch.lerp(known.live, live, share)
        return [
            weight - calm * own if calmed else weight
            for weight, own, calmed in zip(weights, known.live.tolist(), CALMED, strict=True)
        ]
