"""One live face that wears a portrait, frame after frame."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from transforms.faces.face import Face
from transforms.faces.makeup_guard import Guard
from transforms.faces.makeup_shapes import CHEEK_ANCHORS, shapes
from transforms.faces.mesh import CANONICAL, VERTICES
from transforms.faces.pose import pose_of
from transforms.frame import Frame
from transforms.portraits.bare import bare, eroded
from transforms.portraits.creases import blinks, mouth_width, smile_lines
from transforms.portraits.lay import Look, Parts, lay
from transforms.portraits.layout import layout
from transforms.portraits.texture import Texture

ARRIVAL = 0.3
"""Seconds over which the portrait comes onto a face, and goes."""

PROFILE = 0.6, 0.85
"""``Outline.turn`` between which the portrait goes: of a profile half the mesh is guessed."""

TURNING = 0.1
"""Seconds in which the share for how a head is turned has come 63 % of its way."""

GUARDING = 0.045
"""Seconds between two looks for hands: every other frame, since it costs time."""

LOOKING = 0.09
"""Seconds between two looks for hair: it costs time."""

LEARNING = 0.25
"""Seconds, likewise, for where there is hair: a fringe moves, noise must not show."""

DOUBTFUL, CERTAIN = 0.5, 0.9
"""Presence at which nothing of the portrait is left, and from which all of it is there."""

COVERED = 0.35, 0.75
"""How far lips and lids must be covered for the portrait around them to begin to go, and to be gone."""

REACH, FARTHEST = 1.3, 3.2
"""cm: deviation of how far an anchor speaks for vertices around it, and how far it speaks at all."""

FAINT = 1 / 255


class WornFace:
    """Keeps what must not tremble or pop."""

    def __init__(self, frame: Frame, face: Face, shown: bool) -> None:
        """``shown`` at once, or fading in."""
        self._shown = 1.0 if shown else 0.0
        self._front: float | None = None
        self._bare = self._found = self._skin = torch.ones(VERTICES, device=frame.device)
        self._since, self._unguarded = math.inf, 0.0
        self._size: int | None = None
        self._guard = Guard(frame, shapes(face.landmarks).anchors, face.outline.width)

    def lay(self, frame: Frame, face: Face, texture: Texture, look: Look, wanted: bool, elapsed: float) -> float:
        """Writes into the frame's planes, so many seconds after the last time; ``wanted`` is whether this face is to wear it
        at all. Returns how much of the portrait is shown, 0 to 1."""
        way = elapsed / ARRIVAL
        self._shown = min(1.0, self._shown + way) if wanted else max(0.0, self._shown - way)
        self._look_for_covers(frame, face, elapsed)
        pose = pose_of(face.landmarks)
        scale = max(pose.scale, 1e-3)
        self._look_for_hair(frame, face.landmarks[:VERTICES], scale, elapsed)
        amount = _smooth(self._shown) * self._turned(face, elapsed) * _rise(face.presence, (DOUBTFUL, CERTAIN))
        if amount * look.opacity < FAINT:
            return 0.0
        self._size = texture.pick(face.outline.height, self._size)
        mouth = smile_lines(texture.mouth, mouth_width(face.landmarks, scale), frame.device)
        where = layout(frame.device)
        # Right above the brows a fringe of the portrait's is evened out: the live brows must not show in its stead.
        hair = torch.lerp(torch.ones_like(texture.bare), texture.bare, where.above)
        shares = where.share * self._bare * hair
        shares = shares * (1 - _spread(frame.device) @ _risen(self._guard.covered)) * (1 - blinks(face.landmarks))
        skins = where.skin * self._skin, where.skin * texture.skin
        parts = Parts(shares, *skins, torch.maximum(mouth, 1 - texture.bare))
        lay(frame, face.landmarks, parts, texture.size(self._size, frame.color), scale, Look(look.opacity * amount, look.match))
        return amount

    def _look_for_hair(self, frame: Frame, points: Tensor, scale: float, elapsed: float) -> None:
        self._since += elapsed
        if self._since >= LOOKING:
            first = math.isinf(self._since)
            self._found, self._since = bare(frame, points, scale), 0.0
            self._bare = self._found if first else self._bare
            self._skin = eroded(self._found)
        self._bare = torch.lerp(self._bare, self._found, _share(elapsed, LEARNING))

    def _look_for_covers(self, frame: Frame, face: Face, elapsed: float) -> None:
        self._unguarded += elapsed
        if self._unguarded >= GUARDING:
            self._guard.look(frame, shapes(face.landmarks).anchors, max(face.outline.width, 1.0), self._unguarded)
            self._unguarded = 0.0

    def _turned(self, face: Face, elapsed: float) -> float:
        start, end = PROFILE
        now = 1 - _rise(abs(face.outline.turn), (start, end))
        self._front = now if self._front is None else self._front + (now - self._front) * _share(elapsed, TURNING)
        return self._front


@lru_cache(maxsize=8)
def _spread(device: torch.device) -> Tensor:
    """(468, 98): by which anchors a vertex is judged; cheeks, which are what skin is known by, have no say."""
    flat = CANONICAL[:, :2] * torch.tensor([1.0, -1.0])
    anchors = shapes(torch.cat((flat, torch.zeros((10, 2))))).anchors
    distance = torch.cdist(flat, anchors)
    distance[:, CHEEK_ANCHORS] = math.inf
    weights = torch.softmax(-distance.square() / (2 * REACH**2), 1)
    near = (1 - distance.amin(1, keepdim=True) / FARTHEST).clamp(0, 1)
    return (weights * near * (2 - near)).to(device)


def _risen(value: Tensor) -> Tensor:
    return ((value - COVERED[0]) / (COVERED[1] - COVERED[0])).clamp(0, 1)


def _rise(value: float, ends: tuple[float, float]) -> float:
    return _smooth(min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0]))))


def _smooth(share: float) -> float:
    return share * share * (3 - 2 * share)


def _share(elapsed: float, constant: float) -> float:
    return 1 - math.exp(-max(0.0, elapsed) / constant)
