"""A person's mouth at rest: closed, neutral, learnt while the face is followed, and put in the place of the live one."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from transforms.faces.blendshapes import NAMES
from transforms.faces.mesh import CANONICAL, VERTICES
from transforms.faces.one_euro import OneEuro
from transforms.faces.pose import RIGID, Pose
from transforms.faces.regions import BRIDGE, CHIN, LIPS_INNER, LIPS_OUTER
from transforms.faces.shapes import SMALLEST, axes_of, basis, jaw

LEARNING = 0.4
"""Seconds over which a live mouth that is closed is taken for the one at rest."""

SLOWEST = 4.0
"""Seconds over which one is that is open, once its opening is taken away: it is better than nothing known."""

CLOSED = 0.25
"""cm between the lips from which a mouth is no longer closed."""

JAW = NAMES.index("jawOpen")

EARLIEST = 0.02
"""Seconds after which a face is seen a second time at the earliest."""

TEETH = 0.12
"""cm by which the upper teeth come lower than the mouth's painter has them."""

FLESH = 0.35
"""How far into an open mouth's lips their edge is drawn, where it is to close: landmarks lie on teeth as often as on lips."""

OPEN = 0.5
"""cm between the lips from which it is that far."""

STEADY = (1.0, 8.0, 2.0)
"""One-Euro of the change: least cut-off in Hz, Hz per cm a second, Hz for the speed. The landmarks' noise would shake lips."""

_MIDDLE = slice(3, 8)
"""Of the columns between the corners of the mouth: where lips part first."""


def _rise(value: Tensor, start: float, end: float) -> Tensor:
    share = ((value - start) / (end - start)).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _share() -> Tensor:
    """(468, 1) how much of each vertex is the mouth's: all of the lips and the jaw, nothing of nose and cheekbones."""
    x, y, _ = CANONICAL.unbind(1)
    around = ((x / 4.5) ** 2 + ((y + 4.4) / 1.9) ** 2).sqrt()
    return torch.maximum(1 - _rise(around, 0.62, 1.15), jaw())[:, None]


@lru_cache(maxsize=8)
def _shares(device: torch.device) -> Tensor:
    return _share().to(device)


@lru_cache(maxsize=8)
def _lips(device: torch.device) -> Tensor:
    """(2, 2, 9): inner and outer lips, lower and upper, column by column."""
    loops = [[list(loop[1:10]), list(loop[:10:-1])] for loop in (LIPS_INNER, LIPS_OUTER)]
    return torch.tensor(loops, device=device)


class RestingMouth:
    """One face's. Lengths in cm of a mean head, in the head's own axes, from the middle of its forehead and cheekbones."""

    def __init__(self) -> None:
        self._rest: Tensor | None = None
        self._time = self._age = 0.0
        self._steady = OneEuro(*STEADY)

    def placed(self, landmarks: Tensor, pose: Pose, now: float) -> Tensor:
        """(478, 3) landmarks, frame px, with the mouth at rest; ``now`` is in s, and later than the last time.

        A live mouth that is closed is taken on soon, and one that is open slowly, with its opening taken away.
        """
        axes = axes_of(pose, landmarks.device)
        live = landmarks[:VERTICES] @ axes / max(pose.scale, SMALLEST) ** 2
        live = live - live[list(RIGID)].mean(0)
        inner, _ = _lips(live.device)
        gap = float((live[inner[1], 1] - live[inner[0], 1])[_MIDDLE].mean())
        closed = _closed(live, gap)
        if self._rest is None:
            self._rest = closed
        else:
            near = min(1.0, max(0.0, 1 - gap / CLOSED))
            # At first a mean of what was seen: landmarks are off until they have settled.
            rate = near / LEARNING + (1 - near) / SLOWEST + 1 / max(self._age, EARLIEST)
            elapsed = max(0.0, now - self._time)
            self._rest = torch.lerp(self._rest, closed, 1 - math.exp(-elapsed * rate))
            self._age += elapsed
        self._time = now
        change = self._steady((self._rest - live) * _shares(live.device), now)
        resting = torch.cat((landmarks[:VERTICES] + change @ axes.T, landmarks[VERTICES:]))
        return _joined(resting)

    def line(self, resting: Tensor, pose: Pose) -> Tensor:
        """(9, 2) px, right to left: where the lips of landmarks at rest meet, or a little lower, as upper teeth are to be seen in
        speech, and ``mouth.paint_inside`` hangs them from this line.
        """
        inner, _ = _lips(resting.device)
        down = resting[CHIN, :2] - resting[BRIDGE, :2]
        lower: Tensor = down / down.norm().clamp(min=1e-6) * (TEETH * pose.scale)
        return resting[inner, :2].mean(0) + lower

    def trimmed(self, landmarks: Tensor, pose: Pose) -> Tensor:
        """(478, 3) landmarks whose inner lips lie in the flesh of the lips, the more the further they are apart."""
        inner, outer = _lips(landmarks.device)
        apart = (landmarks[inner[1], :2] - landmarks[inner[0], :2]).norm(dim=1) / max(pose.scale, SMALLEST)
        share = FLESH * (apart / OPEN).clamp(max=1)[None, :, None]
        trimmed = landmarks.clone()
        trimmed[inner] = torch.lerp(landmarks[inner], landmarks[outer], share)
        return trimmed


def _closed(points: Tensor, gap: float) -> Tensor:
    """The jaw turned back by as much as it is open, and what then is left between the lips taken away."""
    inner, _ = _lips(points.device)
    field = basis(points.device)[JAW].reshape(VERTICES, 3)
    opens = float((field[inner[1], 1] - field[inner[0], 1])[_MIDDLE].mean())
    return _joined(points - field * (max(0.0, gap) / opens))


def _joined(points: Tensor) -> Tensor:
    """What is between the lips divided among them."""
    points = points.clone()
    inner, outer = _lips(points.device)
    apart = points[inner[1]] - points[inner[0]]
    for low, high in (inner, outer):
        points[low] += apart * 0.5
        points[high] -= apart * 0.5
    return points
