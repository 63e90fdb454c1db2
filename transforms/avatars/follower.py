"""A live face as what moves a portrait: what it does beyond how it usually is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from transforms.avatars.motion import Motion
from transforms.faces.blendshapes import NAMES
from transforms.faces.face import Face
from transforms.faces.one_euro import OneEuro
from transforms.faces.pose import pose_of

MOST_NEUTRAL = 0.35
"""Of a shape: nobody's face at rest has more of it. Who comes smiling is seen smiling."""

FALLING, RISING, DRIFTING = 1.5, 40.0, 60.0
"""Seconds in which what counts as neutral follows a shape down, and up; and a gaze or a pose, either way."""

SETTLING = 0.6
"""Seconds over which the pose that a face comes with is averaged: from then on it drifts."""

SMOOTHING = (2.0, 25.0, 1.0)
"""One-Euro, per weight of 1 or ``DEGREES`` a second: shapes and pose of a face that is still tremble by some hundredths."""

DEGREES = 40.0
"""Turn that counts as much as a weight of 1."""

GAIN = {"jawOpen": 1.4, "browDown": 1.5, "browInnerUp": 1.4, "browOuterUp": 1.3, "eyeBlink": 1.2}
"""By how their names begin: shapes of which the network that reads them says less than the mesh needs to show as much."""

MOST = 1.2
"""Weight that none exceeds by its gain: a mouth or a lid goes no further."""

_GAINS = torch.tensor([next((gain for start, gain in GAIN.items() if name.startswith(start)), 1.0) for name in NAMES] + [1.0] * 3)

_LOOKS = torch.tensor([name.startswith("eyeLook") for name in NAMES] + [True] * 3)
"""Which values rest in the middle of what they do; all others rest at the least."""

_SCALE = torch.tensor([1.0] * len(NAMES) + [DEGREES] * 3)

_MOST = torch.tensor([MOST_NEUTRAL] * len(NAMES) + [math.inf] * 3)

_ITSELF = torch.tensor([float(name != "_neutral") for name in NAMES] + [1.0] * 3)


class Follower:
    """Of one face after the other; time is that of the frames, s."""

    def __init__(self) -> None:
        self._face: int | None = None
        self._since = 0.0
        self._time = 0.0
        self._neutral: Tensor | None = None
        self._smooth = OneEuro(*SMOOTHING)

    def __call__(self, face: Face, shapes: Tensor, now: float) -> Motion:
        """``shapes`` are the 52 of the face."""
        value = torch.cat((shapes.to("cpu", torch.float32), torch.tensor(pose_of(face.landmarks).degrees)))
        if self._face != face.id or self._neutral is None or now < self._time:
            self._face, self._since, self._neutral = face.id, now, torch.minimum(value, _MOST)
            self._smooth.reset()
        elapsed, self._time = now - self._time, now
        value = self._smooth(value / _SCALE, now) * _SCALE
        # At first quickly: one frame is not how somebody usually is.
        drift = SETTLING if now - self._since < SETTLING else DRIFTING
        seconds = torch.where(value < self._neutral, FALLING, RISING)
        seconds = torch.where(_LOOKS, torch.full_like(seconds, drift), seconds)
        share = 1 - torch.exp(-max(0.0, elapsed) / seconds)
        self._neutral = torch.minimum(torch.lerp(self._neutral, value, share), _MOST)
        beyond = (value - self._neutral) * _ITSELF
        return Motion(torch.minimum(beyond * _GAINS, beyond.clamp(min=MOST)))
