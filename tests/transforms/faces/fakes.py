"""Networks that answer what a test wants, and frames that a fake tracker can be asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from transforms.context import Context
from transforms.faces.detector import anchors
from transforms.faces.face import Detection, Face, FaceBox, Outline, Tracking
from transforms.faces.tracker import FaceTracker
from transforms.models.runtime import Shapes

Answer = Callable[[Tensor], tuple[Tensor, ...]]


class FakeNetwork:
    """Answers by a function of its input, and counts the pictures it was shown."""

    inputs: Shapes = ()
    outputs: Shapes = ()

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.shown = 0

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        self.shown += len(inputs[0])
        return self.answer(inputs[0])


def nothing(pictures: Tensor) -> tuple[Tensor, ...]:
    """What the detector says of an empty picture."""
    return torch.zeros(len(pictures), 896, 16), torch.full((len(pictures), 896, 1), -50.0)


def boxed(anchor: int, side: float, logit: float) -> tuple[Tensor, Tensor]:
    """A detector's answer with one box, centred on an anchor, its keypoints spread over it, in px of the input."""
    regressors, logits = nothing(torch.zeros(1, 1))
    regressors[0, anchor, 2:4] = side
    points = torch.tensor([[-0.2, -0.2], [0.2, -0.2], [0, 0], [0, 0.2], [-0.45, -0.1], [0.45, -0.1]])
    regressors[0, anchor, 4:] = (points * side).flatten()
    logits[0, anchor] = logit
    return regressors, logits


def anchor_at(x: float, y: float) -> int:
    """The anchor nearest to a point of the input, px."""
    return int((anchors() - torch.tensor([x, y])).square().sum(1).argmin())


def detection(x: float, y: float, side: float, score: float = 0.9) -> Detection:
    half = side / 2
    offsets = ((-0.2, -0.2), (0.2, -0.2), (0.0, 0.0), (0.0, 0.2), (-0.45, -0.1), (0.45, -0.1))
    points = tuple((x + dx * side, y + dy * side) for dx, dy in offsets)
    return Detection(FaceBox(x - half, y - half, x + half, y + half), points, score)


def face(x: float, y: float, side: float, id: int = 1) -> Face:
    half = side / 2
    box = FaceBox(x - half, y - half, x + half, y + half)
    return Face(id, torch.zeros(478, 3), 1.0, box, Outline(x, y, side * 0.8, side, 0.0, 0.0))


def tracking(*found: Face | Detection, size: tuple[int, int] = (640, 360), detected: bool = True) -> Tracking:
    faces = tuple(one for one in found if isinstance(one, Face))
    detections = tuple(one for one in found if isinstance(one, Detection))
    return Tracking(faces, detections, detected, size)


def crop_points() -> Tensor:
    """(478, 3) of an upright face in the middle of the landmark network's crop: 136 px wide and 170 px high."""
    angle = torch.arange(478) / 478 * 2 * torch.pi
    points = torch.stack((128 + 68 * angle.cos(), 128 + 85 * angle.sin(), torch.zeros(478)), 1)
    points[33], points[263] = torch.tensor([90.0, 110.0, 0.0]), torch.tensor([166.0, 110.0, 0.0])
    points[1] = torch.tensor([128.0, 135.0, -20.0])
    return points


class FakeContext:
    """Stands in for ``transforms.context.Context``: a detector and a landmark network that say what the test sets."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.boxes: tuple[Tensor, ...] | None = None
        """The detector's answer for the first picture it is shown; nothing in all others."""
        self.presence = 10.0
        """Logit, of whatever crop."""
        self.points = crop_points()
        self.error: Exception | None = None
        """Raised by the detector when set."""
        self.detector = FakeNetwork(self._detect)
        self.landmarks = FakeNetwork(self._landmarks)
        self.blendshapes = FakeNetwork(lambda points: (torch.full((len(points), 52), 0.5),))
        self._faces: FaceTracker | None = None

    def close(self) -> None:
        self._faces = None

    def network(self, name: str) -> FakeNetwork:
        return {
            "face_detector": self.detector,
            "face_landmarks": self.landmarks,
            "face_blendshapes": self.blendshapes,
        }[name]

    @property
    def faces(self) -> FaceTracker:
        if self._faces is None:
            self._faces = FaceTracker(cast(Context, self))
            self._faces.prepare()
            self.detector.shown = self.landmarks.shown = self.blendshapes.shown = 0
        return self._faces

    def _detect(self, pictures: Tensor) -> tuple[Tensor, ...]:
        if self.error is not None:
            raise self.error
        rest = nothing(pictures)
        if self.boxes is None:
            return rest
        return tuple(torch.cat((box, other[1:])) for box, other in zip(self.boxes, rest, strict=True))

    def _landmarks(self, pictures: Tensor) -> tuple[Tensor, ...]:
        count = len(pictures)
        points = self.points.flatten().expand(count, -1).reshape(count, 1, 1, -1)
        return points, torch.full((count, 1, 1, 1), self.presence), torch.zeros(count, 1)
