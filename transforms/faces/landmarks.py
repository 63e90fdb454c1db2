"""The 478 points of faces, from turned square crops of 256 x 256.

Source: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019, and its
successor with irises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transforms.faces.face import Detection, FaceBox, Outline
from transforms.faces.sampling import Placement, crop
from transforms.frame import Frame
from transforms.models.runtime import Network

SIZE = 256
"""Side of the network's input, px."""

COUNT = 478

CROP = 1.5
"""The crop's side as a multiple of the face's longer one, as in training."""

LEFT_EYE, RIGHT_EYE, NOSE_TIP = 33, 263, 1
"""Outer eye corners, named as the picture is seen, and the tip of the nose."""

SMALLEST_SIDE = 8.0
"""px: a face smaller than this has no features, and a crop of nearly nothing would divide by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the network says of one crop."""

    points: Tensor
    """(478, 3) float32 on the host, frame px."""
    presence: float
    """0 to 1."""
    box: FaceBox
    outline: Outline

    @property
    def placement(self) -> Placement:
        """Where to look for this face in the next frame."""
        return Placement(self.outline.x, self.outline.y, CROP * max(self.outline.width, self.outline.height), self.outline.roll)


def placement_of(detection: Detection) -> Placement:
    """Where to look for the landmarks of a detected face."""
    x, y = detection.box.centre
    return Placement(x, y, CROP * max(detection.box.side, SMALLEST_SIDE), detection.roll)


class Landmarker:
    """Reads faces in frames. One per stream and thread."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, frame: Frame, placements: Sequence[Placement]) -> list[Reading | None]:
        """One reading per placement, in one batch; None where the answer is no face at all (no number, no size)."""
        if not placements:
            return []
        pictures = torch.stack([crop(frame, placement, SIZE).permute(1, 2, 0) for placement in placements])
        points, presence, *_ = self._network(pictures)
        # One transfer for all faces; what follows is too small to be worth a device.
        answer = torch.cat((points.reshape(len(placements), -1), presence.reshape(len(placements), 1)), 1).float().cpu()
        return [_read(values, placement) for values, placement in zip(answer, placements, strict=True)]


def _read(values: Tensor, placement: Placement) -> Reading | None:
    if not np.isfinite(values.numpy()).all():
        return None
    points = placement.to_frame(values[:-1].reshape(COUNT, 3), SIZE)
    flat = points.numpy()[:, :2]
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y) = flat[[LEFT_EYE, RIGHT_EYE, NOSE_TIP]].tolist()
    roll = math.atan2(right_y - left_y, right_x - left_x)
    cos, sin = math.cos(roll), math.sin(roll)
    # As they are, and in the face's own axes.
    axes = flat @ np.array(((1, 0, cos, -sin), (0, 1, sin, cos)), np.float32)
    (left, top, start, above), (right, bottom, end, below) = axes.min(0).tolist(), axes.max(0).tolist()
    presence = float(values[-1].sigmoid())
    edges = (left, top, right, bottom, start, above, end, below, presence)
    if not all(map(math.isfinite, edges)):
        return None
    width, height = end - start, below - above
    if max(width, height) < SMALLEST_SIDE:
        return None
    along, down = (start + end) / 2, (above + below) / 2
    turn = (nose_x * cos + nose_y * sin - along) / max(width / 2, 1.0)
    outline = Outline(along * cos - down * sin, along * sin + down * cos, width, height, roll, max(-1.0, min(1.0, turn)))
    return Reading(points, presence, FaceBox(left, top, right, bottom), outline)
