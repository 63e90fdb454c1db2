"""Changes the shape of faces a little: slimmer, with larger eyes, another nose, chin or lips."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from transforms.base import Settings, Transform
from transforms.context import Context
from transforms.faces.face import Face
from transforms.faces.mesh import CANONICAL, VERTICES, triangles
from transforms.faces.pose import pose_of
from transforms.faces.regions import LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_EYE
from transforms.faces.shapes import axes_of
from transforms.faces.warp import reach, warp
from transforms.frame import Frame

EASING = 0.12
"""Seconds in which a changed setting has come 63 % of its way, as elsewhere."""

ARRIVAL, MEMORY = 0.3, 1.0
"""Seconds over which a face that comes into the picture is reshaped, and for which a lost one is remembered."""

NOTHING = 0.05
"""%, below which nothing is to be seen."""

MARGIN = 2.6
"""cm around the face in which the movement of its rim fades: three times as far as it goes."""

PROFILE = 0.8, 1.0
"""``Outline.turn`` between which the shape goes back to the live one: of a profile half the mesh is guessed."""

MOST = {"slim": 0.085, "jaw": 0.14, "eyes": 0.24, "nose": 0.22, "chin": 0.2, "lips": 0.3}
"""What 100 % is, as a share of the part's own size: as far as it still looks like the person."""


def _part(title: str, description: str, default: float = 0.0) -> Any:
    return Field(default=default, ge=-100, le=100, title=title, description=description, json_schema_extra={"unit": "%"})


class ReshapeSettings(Settings):
    slim: float = _part("Slim", "Makes the face narrower, below 0 wider.", 40)
    jaw: float = _part("Jaw", "Makes the jaw narrower towards the chin, below 0 broader.")
    eyes: float = _part("Eyes", "Makes the eyes larger, below 0 smaller.", 25)
    nose: float = _part("Nose", "Makes the nose narrower and a little smaller, below 0 larger.")
    chin: float = _part("Chin", "Makes the chin longer, below 0 shorter.")
    lips: float = _part("Lips", "Makes the lips fuller, below 0 thinner.")


class _Weights(NamedTuple):
    """(468,) how much each vertex takes part, 0 to 1."""

    slim: Tensor
    jaw: Tensor
    left_eye: Tensor
    right_eye: Tensor
    nose: Tensor
    chin: Tensor
    lips: Tensor


class Reshape(Transform[ReshapeSettings]):
    title = "Reshape"
    summary = "Makes faces slimmer, eyes larger, and noses, chins and lips a little different."
    settings_type = ReshapeSettings

    def __init__(self, settings: ReshapeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._amounts = _amounts(settings)
        self._since: dict[int, tuple[float, float]] = {}
        self._time: float | None = None

    def prepare(self) -> None:
        _ = self.context.faces

    def process(self, frame: Frame) -> Frame:
        now = float(frame.pts * frame.time_base)
        elapsed = 0.0 if self._time is None else max(0.0, now - self._time)
        faces = self.context.faces.track(frame).faces
        # Who is here at the beginning is reshaped at once.
        start = -math.inf if self._time is None else now
        self._time = now
        for face in faces:
            self._since[face.id] = (self._since.get(face.id, (start, now))[0], now)
        self._since = {key: value for key, value in self._since.items() if 0 <= now - value[1] <= MEMORY}
        self._ease(elapsed)
        if all(abs(amount) < NOTHING for amount in self._amounts.values()):
            return frame
        # A picture of its own until all faces are done: when one fails, nothing was written.
        work = frame.again(frame.pts)
        for face in faces:
            self._show(work, face, min(1.0, max(0.0, (now - self._since[face.id][0]) / ARRIVAL)))
        if work.changed:
            frame.replace(work.planes)
        return frame

    def _ease(self, elapsed: float) -> None:
        share = 1 - math.exp(-elapsed / EASING)
        for name, goal in _amounts(self.settings).items():
            now = self._amounts[name]
            self._amounts[name] = goal if abs(goal - now) < NOTHING else now + share * (goal - now)

    def _show(self, frame: Frame, face: Face, share: float) -> None:
        start, end = PROFILE
        share *= min(1.0, max(0.0, (end - abs(face.outline.turn)) / (end - start)))
        amounts = {name: MOST[name] * share * amount / 100 for name, amount in self._amounts.items()}
        pose = pose_of(face.landmarks)
        axes = axes_of(pose, frame.device)
        # cm in the head's own axes, in which left and right are alike however it is turned.
        points = (face.landmarks[:VERTICES] - face.landmarks[0]) @ axes / max(pose.scale, 1e-3) ** 2
        source = face.landmarks[:VERTICES]
        target = source + reshaped(points, amounts) @ axes.T
        margin = max(2.0, MARGIN * pose.scale)
        mesh = source, target, triangles(frame.device)
        warp(frame, *mesh, reach(*mesh, margin, (frame.width, frame.height)), margin)


def _amounts(settings: ReshapeSettings) -> dict[str, float]:
    return {name: getattr(settings, name) for name in MOST}


def reshaped(points: Tensor, amounts: dict[str, float]) -> Tensor:
    """(468, 3) cm by which vertices move, given where they are in the head's axes, and shares of parts as in ``MOST``."""
    weights = _weights(points.device)
    across = (points - points.mean(0)) * points.new_tensor([1.0, 0.0, 0.0])
    change = across * -(weights.slim * amounts["slim"] + weights.jaw * amounts["jaw"])[:, None]
    for loop, weight in ((LEFT_EYE, weights.left_eye), (RIGHT_EYE, weights.right_eye)):
        change += (points - points[list(loop)].mean(0)) * (weight * amounts["eyes"])[:, None]
    nose = (points - points[[4, 195]].mean(0)) * points.new_tensor([1.0, 0.35, 0.3])
    change -= nose * (weights.nose * amounts["nose"])[:, None]
    height = points[152, 1] - points[14, 1]
    change[:, 1] += height * weights.chin * amounts["chin"]
    lips = points[:, 1:2] - points[list(LIPS_INNER), 1].mean()
    change[:, 1:2] += lips * (weights.lips * amounts["lips"])[:, None]
    return change


@lru_cache(maxsize=8)
def _weights(device: torch.device) -> _Weights:
    x, y, _ = CANONICAL.unbind(1)
    side = x.abs()

    def rise(value: Tensor, start: float, end: float) -> Tensor:
        share = ((value - start) / (end - start)).clamp(0, 1)
        return share * share * (3 - 2 * share)

    def eye(loop: tuple[int, ...]) -> Tensor:
        centre = CANONICAL[list(loop)].mean(0)
        distance = torch.hypot((x - centre[0]) / 1.25, y - centre[1])
        return 1 - rise(distance, 0.9, 2.2)

    lips = torch.zeros(VERTICES)
    lips[list(LIPS_OUTER)] = 1.0
    ring = torch.hypot(x / 1.7, y + 4.3)
    lips = torch.maximum(lips, (1 - rise(ring, 1.1, 2.4)) * rise(ring, 0.2, 1.0))
    lips = lips * (1 - rise(side, 2.1, 2.9))
    return _Weights(
        *(
            weight.to(device)
            for weight in (
                rise(side, 1.8, 6.0) * (1 - rise(y, 2.5, 7.0)),
                rise(side, 0.5, 3.5) * (1 - rise(y, -6.5, 0.5)),
                eye(LEFT_EYE),
                eye(RIGHT_EYE),
                (1 - rise(side, 1.5, 2.7)) * rise(y, -3.0, -1.9) * (1 - rise(y, 0.0, 2.6)),
                (1 - rise(y, -9.0, -5.6)) * (1 - rise(side, 2.0, 6.0)),
                lips,
            )
        )
    )
