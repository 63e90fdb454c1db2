"""Where the head is that belongs to a face: hair, ears and chin, not just the features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from transforms.faces.face import Detection, Outline

ACROSS, ACROSS_TURNED = 0.51, 0.64
"""Half a head's width from the front (with ears and hair) and from the side (nose to the back), in face lengths."""

DOWN = 0.69
"""Half a head's height with hair, in face lengths: from a little below the chin to above the crown."""

RAISED, BACK = 0.18, 0.3
"""How far the head's middle lies above the face's, and behind it when it is turned to the side, in face lengths."""

DETECTED = 1.25
"""Face length by the detector's box, which goes from the brows to the chin: generous, as its box trembles."""


@dataclass(frozen=True, slots=True)
class Head:
    """A shape with two half axes, px of the frame."""

    x: float
    """Centre."""
    y: float
    across: float
    """Half axis along the eyes."""
    down: float
    """Half axis from chin to crown."""
    roll: float
    """Radians, clockwise as the picture is seen."""

    def grown(self, by: float) -> Head:
        """The same, that many px larger on every side."""
        return replace(self, across=self.across + by, down=self.down + by)

    def distance(self, other: Head) -> float:
        """Between the centres, px."""
        return math.hypot(self.x - other.x, self.y - other.y)

    def close_to(self, other: Head, share: float) -> bool:
        """Whether they differ by no more than a share of the other's half width, and by no more than that in radians."""
        mine, theirs = ((head.x, head.y, head.across, head.down) for head in (self, other))
        way = max(abs(one - two) for one, two in zip(mine, theirs, strict=True))
        return way <= share * other.across and abs(self.roll - other.roll) <= share

    def contains(self, x: float, y: float) -> bool:
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        x, y = x - self.x, y - self.y
        return math.hypot((x * cos + y * sin) / self.across, (y * cos - x * sin) / self.down) <= 1

    @property
    def reach(self) -> tuple[float, float]:
        """Half the width and half the height of the upright rectangle around its own rectangle, px."""
        cos, sin = abs(math.cos(self.roll)), abs(math.sin(self.roll))
        return self.across * cos + self.down * sin, self.across * sin + self.down * cos


def head_of(outline: Outline) -> Head:
    """The head of a face whose landmarks are known."""
    # Of a face that looks down or away one side gets shorter; the other tells the size.
    length = max(outline.height, outline.width)
    return _head(outline.x, outline.y, length, outline.roll, outline.turn)


def head_at(detection: Detection) -> Head:
    """The head of a face that was only detected."""
    x, y = detection.box.centre
    eyes, others = detection.keypoints[:2], detection.keypoints[4:6]
    middle = sum(x for x, _ in others) / 2 if others else x
    nearest = sum(x for x, _ in eyes) / 2
    side = max(detection.box.side, 1.0)
    turn = max(-1.0, min(1.0, 2 * (nearest - middle) / side))
    return _head(x, y, DETECTED * side, detection.roll, turn)


def _head(x: float, y: float, length: float, roll: float, turn: float) -> Head:
    cos, sin = math.cos(roll), math.sin(roll)
    back, raised = -turn * BACK * length, -RAISED * length
    across = ACROSS + (ACROSS_TURNED - ACROSS) * abs(turn)
    return Head(x + back * cos - raised * sin, y + back * sin + raised * cos, across * length, DOWN * length, roll)
