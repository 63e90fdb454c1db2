"""Stickers on a head: what they are made of, and where that is when the head is turned. Lengths are cm of the mean face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.faces.mesh import CANONICAL
from transforms.faces.pose import Pose
from transforms.overlays import drawing
from transforms.overlays.sprite import Place

Vector = tuple[float, float, float]


class Part(NamedTuple):
    """A flat piece, fixed to the head."""

    picture: str
    corner: Vector
    """Its upper left corner, as seen from the front."""
    along: Vector
    down: Vector
    outward: int = 0
    """1 for a piece that is seen only when its own front is to the viewer, -1 for one seen only from behind, 0 for any."""
    share: tuple[float, float] = (0.0, 1.0)
    """From where to where of the picture's width it shows."""


@dataclass(frozen=True, slots=True)
class Sticker:
    parts: tuple[Part, ...]
    """Those further back first."""
    follows: tuple[int, ...] = ()
    """Landmarks that it moves with, beyond the head's own movement: a moustache goes with the lip."""


_OVERLAP = 0.02
"""Share of a half's width by which two halves lie over each other, so that no gap shows between them."""


def _bent(picture: str, size: tuple[float, float], centre: Vector, back: float) -> tuple[Part, Part]:
    """A picture folded along its vertical middle, its outer ends so far behind it."""
    width, height = size
    x, y, z = centre
    top = y + height / 2
    across = width / 2
    return (
        Part(
            picture,
            (x - across, top, z - back),
            (across * (1 + _OVERLAP), 0, back * (1 + _OVERLAP)),
            (0, -height, 0),
            0,
            (0, 0.5 * (1 + _OVERLAP)),
        ),
        Part(
            picture,
            (x - across * _OVERLAP, top, z + back * _OVERLAP),
            (across * (1 + _OVERLAP), 0, -back * (1 + _OVERLAP)),
            (0, -height, 0),
            0,
            (0.5 * (1 - _OVERLAP), 1),
        ),
    )


def _glasses(kind: str) -> Sticker:
    length, height = drawing.ARM
    front = _bent(kind, drawing.GLASSES, (0.0, 2.2, 6.4), 2.9)
    arms = (
        Part(f"{kind}_arm", (7.45, 4.1, 3.5), (0.6, -0.2, -length), (0, -height, 0), 1),
        Part(f"{kind}_arm", (-7.45, 4.1, 3.5), (-0.6, -0.2, -length), (0, -height, 0), -1),
    )
    return Sticker((*arms, *front))


STICKERS = {
    "glasses": _glasses("glasses"),
    "sunglasses": _glasses("sunglasses"),
    "moustache": Sticker(_bent("moustache", drawing.MOUSTACHE, (0.0, -2.75, 6.7), 2.6), (164, 2, 0)),
}
"""The rigid ones; ``hat`` and ``nose`` are round, and so drawn anew for every view."""

BRIM, CROWN, FLARE, TALL = 13.6, 9.0, 9.3, 11.0
"""Radii of brim, crown and top, and the height."""

PICTURES: dict[str, Callable[[], Tensor]] = {
    "glasses": lambda: drawing.glasses(False),
    "glasses_arm": lambda: drawing.arm(False),
    "sunglasses": lambda: drawing.glasses(True),
    "sunglasses_arm": lambda: drawing.arm(True),
    "moustache": drawing.moustache,
    "ball": drawing.ball,
    "crown": drawing.crown,
    "disc": drawing.disc,
    "lining": lambda: drawing.disc(CROWN / BRIM),
}

NEEDS = {
    "glasses": ("glasses", "glasses_arm"),
    "sunglasses": ("sunglasses", "sunglasses_arm"),
    "moustache": ("moustache",),
    "nose": ("ball",),
    "hat": ("crown", "disc", "lining"),
}
"""Pictures of each sticker."""

ANCHORS: dict[str, tuple[Vector, tuple[int, ...]]] = {
    "eyes": ((0.0, 2.6, 6.0), (33, 263)),
    "nose": ((0.0, -0.8, 7.9), (1, 4)),
    "mouth": ((0.0, -4.2, 6.2), (13, 14)),
    "forehead": ((0.0, 6.4, 5.6), (151,)),
    "face": ((0.0, 0.0, 6.0), ()),
    "above": ((0.0, 13.0, 1.0), ()),
}
"""Where a picture of one's own goes: its middle, and the landmarks that move it."""

FACE = 15.4
"""cm: the width of a face, which a picture's width is measured by."""

HAT = (0.0, 9.9, -1.8)
"""Middle of the brim."""

HAT_AXIS = (0.0, 0.99, 0.1)
"""Where its top points: a little forward, so that the brim is over the forehead."""

BALL = ((0.0, -0.7, 8.2), 2.1)
"""Middle and radius of a red nose."""


def pieces(name: str, pose: Pose, landmarks: Tensor, scale: float, lift: float) -> list[tuple[str, tuple[float, float], Place]]:
    """The pictures of a sticker, the part of their width that is shown, and their places in the frame, furthest first.

    ``scale`` is by the sticker's own size, around its middle; ``lift`` is cm up.
    """
    if name == "hat":
        return _hat(pose, scale, lift)
    if name == "nose":
        (x, y, z), radius = BALL
        middle = pose.view(torch.tensor([[x, y + lift, z]]))[0] + _drift(pose, landmarks, (1, 4))
        return [("ball", (0.0, 1.0), _upright(middle, pose, radius * scale, radius * scale))]
    sticker = STICKERS[name]
    corners = torch.tensor([part.corner for part in sticker.parts])
    steps = torch.tensor([[part.along, part.down] for part in sticker.parts])
    ends = torch.cat((corners, corners + steps.sum(1)))
    middle = (ends.amin(0) + ends.amax(0)) / 2 if sticker.follows else torch.tensor([0.0, 2.6, 0.0])
    corners = middle + (corners - middle) * scale + torch.tensor([0.0, lift, 0.0])
    drift = _drift(pose, landmarks, sticker.follows)
    placed = []
    for part, corner, step in zip(sticker.parts, corners, steps * scale, strict=True):
        place = _place(pose, corner, step[0], step[1], drift)
        facing = place.along[0] * place.down[1] - place.along[1] * place.down[0]
        if part.outward == 0 or facing * part.outward > 0:
            placed.append((part.picture, part.share, place))
    return placed


def own(anchor: str, aspect: float, pose: Pose, landmarks: Tensor, scale: float, lift: float) -> Place:
    """Where a picture (height by width ``aspect``) goes that is as wide as a face at a scale of 1."""
    (x, y, z), follows = ANCHORS[anchor]
    width, height = FACE * scale, FACE * scale * aspect
    corner = torch.tensor([x - width / 2, y + lift + height / 2, z])
    return _place(pose, corner, torch.tensor([width, 0, 0]), torch.tensor([0, -height, 0.0]), _drift(pose, landmarks, follows))


def _place(pose: Pose, corner: Tensor, along: Tensor, down: Tensor, drift: Tensor) -> Place:
    points = pose.view(torch.stack((corner, corner + along, corner + down))) + drift
    (x, y, _), (right, right_y, _), (below_x, below, _) = points.tolist()
    return Place((x, y), (right - x, right_y - y), (below_x - x, below - y))


def _drift(pose: Pose, landmarks: Tensor, follows: tuple[int, ...]) -> Tensor:
    """px by which these landmarks are away from where the pose alone would have them."""
    if not follows:
        return torch.zeros(3)
    seen = landmarks[list(follows), :2].mean(0).cpu()
    return torch.cat((seen - pose.view(CANONICAL[list(follows)]).mean(0)[:2], torch.zeros(1)))


def _upright(middle: Tensor, pose: Pose, across: float, down: float) -> Place:
    """A rectangle that faces the viewer, by its half sides in cm."""
    x, y, _ = middle.tolist()
    across, down = across * pose.scale, down * pose.scale
    return Place((x - across, y - down), (2 * across, 0.0), (0.0, 2 * down))


def _hat(pose: Pose, scale: float, lift: float) -> list[tuple[str, tuple[float, float], Place]]:
    """A cylinder and two discs as their outlines are in this view."""
    x, y, z = HAT
    middle = pose.view(torch.tensor([[x, y + lift, z]]))[0, :2]
    axis = (torch.tensor(HAT_AXIS) @ pose.rotation.T) * torch.tensor([1.0, -1.0, 1.0])
    axis = axis / axis.norm()
    up, toward = axis[:2], float(axis[2])
    upright = float(up.norm())
    if upright < 1e-3:
        return []
    up = up / upright
    side = torch.stack((-up[1], up[0]))
    px = pose.scale * scale
    # Discs are narrowed along the axis, by how little their flat side is turned to the viewer.
    flat = abs(toward)

    def ring(centre: Tensor, radius: float) -> Place:
        across, deep = side * radius * px, -up * flat * radius * px
        return _flat(centre - across - deep, 2 * across, 2 * deep)

    top = middle + up * TALL * upright * px
    bend = flat * CROWN / (TALL * upright)
    # Seen from above the near side of a ring is lower in the picture, and from below higher.
    bulge = bend if toward > 0 else -bend
    tall = up * TALL * upright * px
    corner = middle + tall - side * FLARE * px
    wall = _flat(corner, side * 2 * FLARE * px, -tall)._replace(bulge=bulge)
    whole = (0.0, 1.0)
    if toward > 0:
        return [("disc", whole, ring(middle, BRIM)), ("crown", whole, wall), ("disc", whole, ring(top, FLARE))]
    return [("crown", whole, wall), ("lining", whole, ring(middle, BRIM))]


def _flat(corner: Tensor, along: Tensor, down: Tensor) -> Place:
    (x, y), (a, b), (c, d) = corner.tolist(), along.tolist(), down.tolist()
    return Place((x, y), (a, b), (c, d))
