"""Networks that answer what a test wants, and frames that a fake tracker can be asked about."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from transforms.faces.detector import anchors
from transforms.faces.face import Detection, Face, FaceBox, Outline, Tracking
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


def face(x: float, y: float, side: float, id: int = 1) -> Face:  # noqa: A002 - the field's name
    half = side / 2
    box = FaceBox(x - half, y - half, x + half, y + half)
    return Face(id, torch.zeros(478, 3), 1.0, box, Outline(x, y, side * 0.8, side, 0.0, 0.0))


def tracking(*found: Face | Detection, size: tuple[int, int] = (640, 360), detected: bool = True) -> Tracking:
    faces = tuple(one for one in found if isinstance(one, Face))
    detections = tuple(one for one in found if isinstance(one, Detection))
    return Tracking(faces, detections, detected, size)
