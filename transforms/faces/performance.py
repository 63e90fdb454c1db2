"""Shows a face with its mesh moved: warped, its mouth painted inside where lips part."""

from __future__ import annotations

import math

from torch import Tensor

from transforms.faces.mouth import Light, light_of, paint_inside, parted
from transforms.faces.openings import opened
from transforms.faces.pose import Pose
from transforms.faces.regions import BRIDGE, CHIN, LIPS_INNER
from transforms.faces.seam import seam
from transforms.faces.warp import reach, warp
from transforms.frame import Frame

STEADY = 0.3
"""Seconds over which the light is averaged: its noise must not show."""

MEASURING = 0.1
"""Seconds between two measurements of the light."""

MARGIN = 2.0
"""cm around the face in which the movement of its rim fades."""


class Lighting:
    """The light on one face, measured now and then and averaged: it costs time, and changes slowly."""

    def __init__(self) -> None:
        self._light: Light | None = None
        self._measured = 0.0

    def __call__(self, frame: Frame, landmarks: Tensor, now: float) -> Light | None:
        """Of a frame that is untouched, at a time in s; None where the lips are not in the picture."""
        since = now - self._measured
        if self._light is None or not 0 <= since < MEASURING:
            light = light_of(frame, landmarks)
            if light is not None and self._light is not None:
                light = self._light.eased(light, 1 - math.exp(-max(0.0, since) / STEADY))
            self._light, self._measured = light, now
        return self._light


def perform(
    frame: Frame,
    landmarks: Tensor,
    moved: Tensor,
    gaze: Tensor,
    pose: Pose,
    lighting: Lighting,
    now: float,
    margin: float = MARGIN,
    rest: Tensor | None = None,
) -> None:
    """Moves the mesh's vertices from (478, 3) landmarks to ``moved`` (468, 3) and the irises by ``gaze`` (2, 3), all frame px.

    ``margin`` is in cm; ``now`` in s. With ``rest``, (9, 2) px, where the lips meet when they are closed, nothing of the live
    mouth's inside is left: all that is between the lips is painted.
    """
    movement = opened(landmarks, moved, gaze)
    margin = max(2.0, margin * pose.scale)
    if rest is not None:
        gap = moved[list(LIPS_INNER), :2]
        down = moved[CHIN, :2] - moved[BRIDGE, :2]
        opening = ((gap[5] - gap[15]) @ down) / down.norm().clamp(min=1e-6)
        movement = movement._replace(gap=gap, rest=rest, hidden=1.0, opening=float(opening))
    light = lighting(frame, landmarks, now) if rest is not None or parted(movement) else None
    mesh = movement.source, movement.target, movement.triangles
    warp(frame, *mesh, reach(*mesh, margin, (frame.width, frame.height)), margin)
    if light is None:
        return
    if rest is not None:
        seam(frame, landmarks, moved, pose, light)
    paint_inside(frame, movement, pose, light)
