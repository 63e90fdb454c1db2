"""A portrait's head as a mesh that turns: the face, and around it rings of hair, neck and, at rest, what is behind."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL, VERTICES
from transforms.faces.openings import Opened, opened
from transforms.faces.pose import Pose, pose_of
from transforms.faces.raster import around
from transforms.faces.regions import CHIN, FACE_OVAL, FOREHEAD, LEFT_EYE_AROUND, RIGHT_EYE_AROUND
from transforms.faces.shapes import gaze, moved
from transforms.faces.warp import flow, grown
from transforms.frame import Box
from transforms.people.resize import double

PIVOT = (0.0, -3.0, -3.5)
"""cm on the mean head: what it turns about, above the neck and a little behind the ears."""

LIMITS = (25.0, 18.0, 20.0)
"""Degrees of yaw, pitch and roll that are approached and never reached: what is turned away further was never in the picture."""

SKULL = (10.3, 13.2, 10.5)
"""cm: half axes, across, up and from front to back, of a head with its hair."""

SKULL_MIDDLE = (0.0, 2.6, -3.2)

NECK = -16.0
"""cm: height on the mean head where the neck stands on the shoulders, which stay."""

RINGS = ((0.3, 1.0), (0.65, 1.0), (1.0, 1.0), (1.18, 0.75), (1.36, 0.35), (1.54, 0.08), (1.72, 0.0))
"""Of each ring: where it is, 0 being the rim of the face and 1 the outline of the head, and how much of the turn it takes part
in. The last one is at rest."""

JAW = (0.75, 0.4, 0.15, 0.0, 0.0, 0.0, 0.0)
"""How much of what the expression does to the rim of the face each ring takes part in."""

SINK = 1.5
"""cm by which hair and neck are put behind the face, so that it shows where both lie over each other."""

CELL = 2
"""px: of the cells of a field, and of those of the eyes in any case: lids look torn by coarser ones."""

COARSE, LARGE = 4, 200.0
"""px: of the cells that are worked out of faces that are larger than this from chin to forehead."""

FADE = 0.1
"""Of the portrait's size: how near to its edge movement begins to fade, as there is nothing behind it."""


SHOULDERS = 5.0
"""cm below the rings that rise with the breath."""

BREATH_FADE = 0.35
"""Of the moving part's size: how gradually the breath's movement ends."""


class Turn(NamedTuple):
    """Of a head away from how it is in the portrait: degrees, as ``Pose.degrees`` has them."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def limited(self) -> Turn:
        return Turn(*(limit * math.tanh(angle / limit) for angle, limit in zip(self, LIMITS, strict=True)))

    def matrix(self) -> Tensor:
        """(3, 3) in the axes of landmarks: x to the right, y down, z away from the viewer; on the host."""
        yaw, pitch, roll = (math.radians(angle) for angle in self)
        cos, sin = math.cos(yaw), math.sin(yaw)
        about_y = torch.tensor([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
        cos, sin = math.cos(pitch), math.sin(pitch)
        about_x = torch.tensor([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
        cos, sin = math.cos(roll), math.sin(roll)
        about_z = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return about_z @ about_y @ about_x


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """How the puppet is to be shown."""

    field: Tensor
    """As ``faces.warp.flow`` has it, for the puppet's box."""
    movement: Opened
    pose: Pose


class Puppet:
    """Of one portrait at one place of a frame."""

    def __init__(self, landmarks: Tensor, bounds: Box, device: torch.device) -> None:
        """``landmarks`` are (478, 3), frame px; ``bounds`` is what there is of the portrait in the frame."""
        self.landmarks = landmarks.to(device)
        self.pose = pose_of(landmarks)
        axes = self.pose.rotation.T * self.pose.scale * torch.tensor([1.0, -1.0, -1.0])
        """Rows of cm on the mean head to px in the axes of landmarks."""
        # Laid onto the rim, since the mean face's own place may be off by some px.
        rim = CANONICAL[list(FACE_OVAL)]
        places = _rings() @ axes - (rim @ axes)[None] + landmarks[list(FACE_OVAL)][None]
        middle = (landmarks[:VERTICES] - CANONICAL @ axes).mean(0)
        self._pivot = (torch.tensor(PIVOT) @ axes + middle).to(device)
        self._rings = places.reshape(-1, 3).to(device)
        self._share = _shares().reshape(-1, 1).to(device)
        self._below = _below(rim).repeat(len(RINGS))[:, None].to(device)
        self._jaw = torch.tensor(JAW)[:, None].expand(-1, len(FACE_OVAL)).reshape(-1, 1).to(device)
        self._oval = torch.tensor(FACE_OVAL, device=device)
        self._sink = SINK * self.pose.scale
        self._step = CELL if float((landmarks[CHIN] - landmarks[FOREHEAD]).norm()) <= LARGE else COARSE
        self._triangles: Tensor | None = None
        outline = torch.cat((self._rings, self.landmarks))
        box = around(outline, 2 * COARSE, (bounds.right, bounds.bottom))
        # On whole cells, which begin where the portrait does.
        left, top = (
            start + max(0, edge - start) // COARSE * COARSE for start, edge in ((bounds.left, box.left), (bounds.top, box.top))
        )
        bottom = min(round(box.bottom + SHOULDERS * self.pose.scale) // 2 * 2, bounds.bottom)
        self.box = Box(left, top, max(left, min(box.right, bounds.right)), max(top, bottom))
        self._window = _window(self.box, bounds, FADE).to(device)
        self._breath = _window(self.box, self.box, BREATH_FADE).to(device) * self._window

    def show(self, turn: Turn, weights: list[float], breath: float) -> Shown:
        """``weights`` of the 52 shapes, as ``faces.shapes.moved`` takes them; ``breath`` in px by which the chest rises."""
        matrix = turn.limited().matrix()
        device = self.landmarks.device
        about = matrix.T.to(device)
        turned = (self.landmarks - self._pivot) @ about + self._pivot
        pose = replace(self.pose, rotation=_seen(matrix) @ self.pose.rotation)
        after = moved(turned, pose, weights)
        movement = opened(turned, after, gaze(pose, weights, device))
        # Where each point is in the portrait: turned back.
        source = (movement.source - self._pivot) @ about.T + self._pivot
        # Hair turns by itself; a neck is drawn along by the chin.
        hair = (self._rings - self._pivot) @ about + self._pivot - self._rings
        neck = (turned - self.landmarks)[self._oval].repeat(len(RINGS), 1)
        rim = (after - turned[:VERTICES])[self._oval].repeat(len(RINGS), 1)
        rings = self._rings + torch.lerp(hair, neck, self._below) * self._share + rim * self._jaw
        rings[:, 2] += self._sink
        points = torch.cat((movement.target, rings))
        moves = torch.cat((source, self._rings))[:, :2] - points[:, :2]
        if self._triangles is None:
            self._triangles = torch.cat((movement.triangles, _between(len(movement.target)).to(device)))
        field = self._flow(points, moves, self._triangles) * self._window
        field[1] += self._breath * breath
        return Shown(field, movement, pose)

    def _flow(self, points: Tensor, moves: Tensor, triangles: Tensor) -> Tensor:
        """(2, h, w) on cells of the box."""
        field = flow(points, moves, triangles, self.box, self._step)
        if self._step == CELL:
            return field
        rows, columns = -(-self.box.height // CELL) + 2, -(-self.box.width // CELL) + 2
        field = double(field)[:, 1 : 1 + rows, 1 : 1 + columns]
        eyes = around(points[[*LEFT_EYE_AROUND, *RIGHT_EYE_AROUND]], CELL, (self.box.right, self.box.bottom))
        eyes = Box(max(eyes.left, self.box.left), max(eyes.top, self.box.top), eyes.right, eyes.bottom)
        if not eyes.empty:
            fine = flow(points, moves, triangles, eyes, CELL)[:, 1:-1, 1:-1]
            top, left = (eyes.top - self.box.top) // CELL + 1, (eyes.left - self.box.left) // CELL + 1
            field[:, top : top + fine.shape[1], left : left + fine.shape[2]] = fine
        return field


def _rings() -> Tensor:
    """(rings, 36, 3) cm on the mean head: from the rim of the face outward over the head's outline, seen from the front."""
    rim = CANONICAL[list(FACE_OVAL)]
    across, up, back = SKULL
    middle = torch.tensor(SKULL_MIDDLE)
    away = rim - middle
    angle = torch.atan2(away[:, 1] / up, away[:, 0] / across)
    outline = torch.stack((across * angle.cos(), up * angle.sin()), 1) + middle[:2]
    # Under the chin there is a neck instead of hair, and what moves reaches to the shoulders.
    below = _below(rim)
    outline = torch.lerp(outline, torch.stack((rim[:, 0] * 1.02, rim[:, 1] - 2.0), 1), below[:, None])
    found = []
    for place, _ in RINGS:
        flat = rim[:, :2] + (outline - rim[:, :2]) * min(place, 1.0)
        if place > 1:
            flat = flat + (outline - middle[:2]) * (place - 1) * 0.9
        ratio = (((flat - middle[:2]) / torch.tensor([across, up])).square().sum(1)).clamp(max=1.0)
        hair = middle[2] + back * 0.55 * (1 - ratio).sqrt() - 1.0
        depth = torch.lerp(torch.minimum(rim[:, 2], hair), torch.full_like(hair, -1.5), below * min(place, 1.0))
        found.append(torch.cat((flat, depth[:, None]), 1))
    return torch.stack(found)


def _below(rim: Tensor) -> Tensor:
    """1 under the chin, 0 beside the ears."""
    share = ((-4.0 - rim[:, 1]) / 4.5).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _shares() -> Tensor:
    """(rings, 36) how much of the turn each point takes part in: the neck less and less down to the shoulders."""
    rings, below = _rings(), _below(CANONICAL[list(FACE_OVAL)])
    by_ring = torch.tensor([share for _, share in RINGS])[:, None].expand(rings.shape[:2])
    chin = float(CANONICAL[CHIN, 1])
    down = ((chin + 1.0 - rings[:, :, 1]) / (chin + 1.0 - NECK)).clamp(0, 1)
    neck = (1 - down * down * (3 - 2 * down)) * 0.92
    return torch.minimum(by_ring, torch.lerp(torch.ones_like(neck), neck, below))


def _between(first: int) -> Tensor:
    """Triangles between the rim and the first ring, and from ring to ring; the rings' points begin at ``first``."""
    count = len(FACE_OVAL)
    here = torch.arange(count)
    following = (here + 1) % count
    rows = [torch.tensor(FACE_OVAL), *(first + number * count + here for number in range(len(RINGS)))]
    found = []
    for inner, outer in pairwise(rows):
        found.append(torch.stack((inner[here], outer[here], inner[following]), 1))
        found.append(torch.stack((inner[following], outer[here], outer[following]), 1))
    return torch.cat(found)


def _seen(matrix: Tensor) -> Tensor:
    """A turn in the axes of landmarks, in those of a pose: y up and z to the viewer."""
    flip = torch.tensor([1.0, -1.0, -1.0])
    return flip[:, None] * matrix * flip


def _window(box: Box, bounds: Box, width: float) -> Tensor:
    """(h, w) for the box's cells: 1 inside of the bounds, and over ``width`` of their size down to 0 at the edge."""
    step = CELL
    wide = grown(box, step)
    x = torch.arange(-(-wide.width // step)) * step + wide.left + step / 2
    y = torch.arange(-(-wide.height // step)) * step + wide.top + step / 2
    fade = max(1.0, width * min(bounds.width, bounds.height))

    def rise(place: Tensor, low: int, high: int) -> Tensor:
        share = (torch.minimum(place - low, high - place) / fade).clamp(0, 1)
        return share * share * (3 - 2 * share)

    return rise(y, bounds.top, bounds.bottom)[:, None] * rise(x, bounds.left, bounds.right)
