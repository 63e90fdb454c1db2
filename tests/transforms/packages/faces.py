"""Faces where a test wants them, for transforms that ask the stream's tracker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transforms.audio import Listener
from transforms.context import Context
from transforms.faces.face import Face, FaceBox, Outline, Tracking
from transforms.faces.mesh import CANONICAL
from transforms.faces.tracker import FaceTracker
from transforms.frame import Frame
from transforms.models.store import Store


def face(x: float, y: float, size: float, id: int = 1) -> Face:
    """Seen from the front, ``size`` px high."""
    mesh = CANONICAL - CANONICAL.mean(0)
    scale = size / float(mesh[:, 1].max() - mesh[:, 1].min())
    points = torch.zeros((478, 3))
    points[:468] = mesh * torch.tensor([1.0, -1.0, -1.0]) * scale
    points[468:473], points[473:] = points[[33, 133]].mean(0), points[[362, 263]].mean(0)
    points += torch.tensor([x, y, 0.0])
    half = size / 2
    box = FaceBox(x - half, y - half, x + half, y + half)
    return Face(id, points, 1.0, box, Outline(x, y, size, size, 0.0, 0.0))


class Tracker:
    """Sees what it is told to."""

    def __init__(self, *faces: Face) -> None:
        self.faces: Sequence[Face] = faces

    def track(self, frame: Frame, **_: object) -> Tracking:
        return Tracking(tuple(self.faces), (), False, (frame.width, frame.height))


class Sound:
    """A tone of some loudness, and a note of who listens."""

    def __init__(self) -> None:
        self.amplitude = 0.0
        self.windows: list[tuple[int, float]] = []
        self.open = 0

    def listen(self) -> Listener:
        self.open += 1
        return self

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        self.windows.append((end, seconds))
        at = np.arange(round(seconds * 16_000)) / 16_000
        return (self.amplitude * np.random.default_rng(0).uniform(-1, 1, len(at))).astype(np.float32)

    def close(self) -> None:
        self.open -= 1


def context(store: Store, tracker: Tracker, listen: Callable[[], Listener] | None = None) -> Context:
    made = Context(torch.device("cpu"), store) if listen is None else Context(torch.device("cpu"), store, listen)
    made._faces = cast(FaceTracker, tracker)
    return made


def around(frame: Frame, seen: Face, reach: float) -> Tensor:
    """(3,) the mean colour within some share of the face's height of its middle, RGB in [0, 1]."""
    x, y = (int(at) for at in seen.box.centre)
    side = int(reach * seen.box.side)
    return frame.rgb()[:, y - side : y + side, x - side : x + side].mean((1, 2))
