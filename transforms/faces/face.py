"""What is known of the faces in one frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class FaceBox(NamedTuple):
    """A rectangle in frame px, not rounded; it may reach beyond the picture."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def side(self) -> float:
        """The longer of the two."""
        return max(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlap(self, other: FaceBox) -> float:
        """Intersection over union, 0 to 1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.width * self.height + other.width * other.height - shared)

    def distance(self, other: FaceBox) -> float:
        """Between the centres, px."""
        (x, y), (other_x, other_y) = self.centre, other.centre
        return math.hypot(x - other_x, y - other_y)


@dataclass(frozen=True, slots=True)
class Detection:
    """What the detector says: a face seems to be here."""

    box: FaceBox
    """From the brows to the chin."""
    keypoints: tuple[tuple[float, float], ...]
    """Frame px: the two eyes (the one on the picture's left first, in an upright face), nose tip, mouth, two ears."""
    score: float
    """0 to 1."""

    @property
    def roll(self) -> float:
        """Of the line through the eyes, radians, clockwise as the picture is seen."""
        (x, y), (other_x, other_y) = self.keypoints[:2]
        return math.atan2(other_y - y, other_x - x)


class Outline(NamedTuple):
    """The upright rectangle of a face in its own axes, which are turned with the line through its eyes."""

    x: float
    """Centre, frame px."""
    y: float
    width: float
    """Along the eyes, px."""
    height: float
    """From the chin to the forehead, px."""
    roll: float
    """Radians, clockwise as the picture is seen."""
    turn: float
    """Where the nose tip lies between the two sides: 0 from the front, -1 or 1 when it is the outermost point."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face that is followed from frame to frame."""

    id: int
    """Stays the same while the face is followed, and when it is found again soon after near to where it was lost."""
    landmarks: Tensor
    """(478, 3) float32 on the frame's device, smoothed: x, y in frame px, z in the same unit, nearer is smaller.
    468 to 477 are the irises."""
    presence: float
    """How sure the network is that this is a face, 0 to 1."""
    box: FaceBox
    """Around the landmarks of this very frame, not smoothed."""
    outline: Outline
    """Likewise."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracking:
    """The faces of one frame."""

    faces: tuple[Face, ...]
    """Oldest first."""
    detections: tuple[Detection, ...]
    """What the detector found, best first, doubtful ones too (``detector.LOWEST_SCORE``); empty where it did not run."""
    detected: bool
    """Whether the detector ran for this frame."""
    size: tuple[int, int]
    """Width and height of the frame, px."""
