"""Where in a frame the square lies that a network wants to see of a face.

A square of the unit crop, (0, 0) to (1, 1), is put over the face so that its features come to lie where they lay in training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from transforms.packages.manifest import FaceCrop, Template

CROP = 1.5
"""Side of the ``crop`` template by the face's longer one, as the landmark network's own."""

LEAST = 4.0
"""px: a crop's least side. A face of nearly nothing must not divide by it."""

POINTS = ((33, 133, 159, 145), (263, 362, 386, 374), (1, 4), (61,), (291,))
"""Landmarks whose middles are the five points, named as the picture is seen: left eye, right eye, nose tip, left and right
corner of the mouth. The eyes are those of the lids, since irises follow the gaze."""

_ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""px of 112, as InsightFace aligns faces for ArcFace (Deng et al., "ArcFace", 2019)."""

_FFHQ = (
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)
"""px of 512: where those points lie on average in FFHQ (Karras et al., 2019), as facexlib has them."""

_TEMPLATES: dict[Template, tuple[tuple[float, float], ...]] = {
    "arcface_112": tuple((x / 112, y / 112) for x, y in _ARCFACE),
    # The same, in the middle of a square that is 16 px wider and taller below.
    "arcface_128": tuple(((x + 8) / 128, y / 128) for x, y in _ARCFACE),
    "ffhq": tuple((x / 512, y / 512) for x, y in _FFHQ),
}
"""Of the unit crop."""


@dataclass(frozen=True, slots=True)
class Region:
    """The unit crop in a frame: a parallelogram, mostly a turned square. Frame px."""

    x: float
    """Its top left corner, as the face is seen upright."""
    y: float
    across: tuple[float, float]
    """From there to its top right corner."""
    down: tuple[float, float]
    """And to its bottom left one."""

    @property
    def side(self) -> float:
        """The longer of its two sides, px."""
        return max(math.hypot(*self.across), math.hypot(*self.down))

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        (ax, ay), (dx, dy) = self.across, self.down
        return tuple((self.x + u * ax + v * dx, self.y + u * ay + v * dy) for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)))

    def inside(self, points: Tensor) -> Tensor:
        """(n, 2 or 3) frame px to the unit crop; z in units of its side."""
        (ax, ay), (dx, dy) = self.across, self.down
        area = ax * dy - ay * dx
        matrix = points.new_tensor([[dy, -ay], [-dx, ax]]) / area
        flat = (points[:, :2] - points.new_tensor([self.x, self.y])) @ matrix
        return torch.cat((flat, points[:, 2:] / self.side), 1)


def align(crop: FaceCrop, landmarks: Tensor) -> Region:
    """The region of a face with (478, 3) landmarks in frame px, on the host."""
    if crop.template in _TEMPLATES:
        middles = [landmarks[list(group), :2].mean(0).tolist() for group in POINTS]
        return similarity(_TEMPLATES[crop.template], middles)
    if crop.template == "box":
        (left, top), (right, bottom) = (edge.tolist() for edge in landmarks[:468, :2].aminmax(dim=0))
        width, height = max(LEAST, right - left), max(LEAST, bottom - top)
        above, beside, below, before = crop.margin
        across, down = width * (1 + beside + before), height * (1 + above + below)
        return Region(left - before * width, top - above * height, (across, 0.0), (0.0, down))
    (x, y), (other_x, other_y) = landmarks[33, :2].tolist(), landmarks[263, :2].tolist()
    roll = math.atan2(other_y - y, other_x - x)
    cos, sin = math.cos(roll), math.sin(roll)
    upright = landmarks[:, :2] @ landmarks.new_tensor([[cos, -sin], [sin, cos]])
    low, high = (edge.tolist() for edge in upright.aminmax(dim=0))
    side = CROP * max(LEAST, high[0] - low[0], high[1] - low[1])
    left, top = (low[0] + high[0] - side) / 2, (low[1] + high[1] - side) / 2
    return Region(left * cos - top * sin, left * sin + top * cos, (cos * side, sin * side), (-sin * side, cos * side))


def similarity(template: tuple[tuple[float, float], ...], found: list[list[float]]) -> Region:
    """The turned square that brings a template's points nearest to those found (least squares; Umeyama, PAMI 1991).

    As complex numbers it is one line: a turn and a scale are one factor.
    """
    ours = [complex(*point) for point in template]
    theirs = [complex(*point) for point in found]
    middle, centre = sum(ours) / len(ours), sum(theirs) / len(theirs)
    spread = sum(abs(point - middle) ** 2 for point in ours)
    pairs = zip(ours, theirs, strict=True)
    factor = sum((other - centre) * (point - middle).conjugate() for point, other in pairs) / spread
    if abs(factor) < LEAST:
        factor = complex(LEAST)
    corner = centre - factor * middle
    return Region(corner.real, corner.imag, (factor.real, factor.imag), (-factor.imag, factor.real))
