"""What each of ARKit's blendshapes does to the face mesh, in cm on a mean head.

The fields are drawn by hand on the mean face and tuned against the blendshape network; what depends on the person (how far
there is to go for a lid, for lips that close) is worked out from where the landmarks are.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from transforms.faces.blendshapes import NAMES
from transforms.faces.mesh import CANONICAL, MIRROR, VERTICES
from transforms.faces.pose import Pose
from transforms.faces.regions import LEFT_EYE, LEFT_EYE_AROUND, LIPS_INNER, LIPS_OUTER, RIGHT_EYE, RIGHT_EYE_AROUND

X, Y, Z = CANONICAL.unbind(1)

MOUTH_LINE = -4.25
"""y of the mean face's closed lips, cm."""

CORNER = (2.46, -4.34)
"""x and y of the left corner of the mouth."""

GAZE = (0.42, 0.26)
"""How far an iris goes at 1, cm: sideways, and up or down."""

FARTHEST_LID = 1.0
"""Of a blink: beyond 1 there is nothing left to close."""

SHUT = 0.18
"""cm: mean height of an eye that is closed; at twice that it is open."""

SMILING = (-0.2, 0.45), (2.3, 3.1)
"""cm by which the corners of the mouth lie above the upper lip's lower edge, and half of the mouth's width: of lips at rest, and
of a broad smile."""

KISS = 1.0
"""How far open lips close for a kiss."""

JAW_ANGLE = math.radians(20)
"""By which the jaw turns about the joints before the ears for jawOpen at 1."""

JAW_JOINT = (0.5, -2.5)
"""y and z of the joints."""


def _rise(value: Tensor, start: float, end: float) -> Tensor:
    """Smoothstep: 0 up to the start, 1 from the end on."""
    share = ((value - start) / (end - start)).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _bump(x: float, y: float, across: float, down: float) -> Tensor:
    """(468,) a bell around a place of the mean face's front, with its standard deviations in cm."""
    return torch.exp(-(((X - x) / across) ** 2 + ((Y - y) / down) ** 2) / 2)


def _field(*parts: tuple[Tensor, tuple[float, float, float]]) -> Tensor:
    """(468, 3): weights times directions, summed."""
    return torch.stack([weight[:, None] * torch.tensor(direction) for weight, direction in parts]).sum(0)


def _mirrored(field: Tensor) -> Tensor:
    """The same on the other side."""
    return field[MIRROR] * torch.tensor([-1.0, 1.0, 1.0])


INSIDE = 1 - _rise(X.abs(), 2.0, 2.5)
"""1 in the middle of the mouth, 0 beside its corners."""

UNDER = torch.where(Y < MOUTH_LINE, 1.0, 0.0)
UNDER[[LIPS_INNER[0], LIPS_INNER[10], LIPS_OUTER[0], LIPS_OUTER[10]]] = 0.45
"""1 below the mouth line, at once."""

LEFT = _rise(X, -0.5, 0.5)
"""1 on the person's left, 0 on the right."""

FIXED = _rise(Y, 2.6, 3.8)
"""1 above the eyes: what brows take along, and lids do not."""


def _mouth(across: float = 2.6, down: float = 1.7) -> Tensor:
    """Everything about the mouth, a little wider than the lips."""
    return torch.exp(-(((X.abs() / across) ** 2 + ((Y + 4.3) / down) ** 2) ** 1.5) / 1.5)


def _upper_lip(reach: float = 1.0) -> Tensor:
    """The upper lip and what is right above it, fading towards the nose and beside the corners."""
    return (1 - UNDER) * (1 - _rise(Y, -3.6, -3.6 + 1.6 * reach)) * torch.exp(-((X / 2.1) ** 4))


def _lower_lip(reach: float = 1.0) -> Tensor:
    return UNDER * _rise(Y, -5.1 - 2.6 * reach, -5.1) * torch.exp(-((X / 2.1) ** 4))


def jaw() -> Tensor:
    """(468,) how much of the jaw's movement each vertex takes part in."""
    beside = (X.abs() - CORNER[0]).clamp(min=0)
    line = CORNER[1] + beside * (0.3 - CORNER[1]) / (7.4 - CORNER[0])
    soft = _rise(line - Y, -1.6, 2.2)
    # The lower lip follows less and less towards the corners, which makes the opening round.
    lower = torch.lerp(torch.ones_like(soft), soft, _rise(X.abs(), 0.8, 2.7))
    return torch.lerp(soft * (1 - INSIDE), lower, UNDER)


def _jaw_open() -> Tensor:
    y, z = Y - JAW_JOINT[0], Z - JAW_JOINT[1]
    cos, sin = math.cos(JAW_ANGLE), math.sin(JAW_ANGLE)
    turned = torch.stack((torch.zeros_like(X), y * cos - z * sin - y, y * sin + z * cos - z), 1)
    corners = _bump(*CORNER, 0.9, 0.9) + _bump(-CORNER[0], CORNER[1], 0.9, 0.9)
    return turned * jaw()[:, None] + _field((corners * -X.sign(), (0.22, 0, 0)), (_upper_lip(), (0, 0.08, 0)))


def _towards_middle(amount: float) -> Tensor:
    """The lips drawn together across."""
    return torch.stack((-X * amount, torch.zeros_like(X), (3.2 - X.abs()).clamp(min=0) * amount * 0.5), 1) * _mouth()[:, None]


def _left_fields() -> dict[str, Tensor]:
    """Of the shapes that have a left and a right side, the left one."""
    corner = _bump(*CORNER, 1.15, 1.1) * LEFT
    cheek = _bump(4.3, -1.3, 1.5, 1.2)
    lid = _bump(3.2, 1.9, 1.3, 0.7) * (1 - FIXED)
    brow = FIXED * torch.exp(-(((Y - 4.7).clamp(min=0) / 2.2) ** 2) / 2)
    inner, outer = torch.exp(-(((X - 1.5) / 1.2) ** 2) / 2), torch.exp(-(((X - 4.6) / 1.5) ** 2) / 2)
    whole = torch.exp(-(((X - 2.9) / 1.9) ** 4) / 2)
    return {
        "browDown": _field((brow * whole, (-0.1, -0.45, 0.05)), (brow * inner, (-0.14, -0.4, 0.0))),
        "browOuterUp": _field((brow * outer, (0.05, 0.75, 0)), (brow * whole, (0, 0.15, 0))),
        "cheekSquint": _field((_bump(4.0, 0.2, 1.5, 1.1) * (1 - FIXED), (0, 0.45, 0.2)), (lid, (0, 0.24, 0))),
        "mouthSmile": _field((corner, (0.55, 0.72, -0.25)), (cheek, (0.12, 0.35, 0.2)), (lid, (0, 0.08, 0))),
        "mouthFrown": _field((corner, (0.05, -0.85, -0.1)), (_bump(3.4, -5.6, 1.2, 1.0), (0, -0.15, 0))),
        "mouthDimple": _field((corner, (0.42, 0.14, -0.35)), (_bump(3.2, -4.3, 0.8, 1.2), (0.12, 0.05, -0.1))),
        "mouthStretch": _field((corner, (0.62, -0.22, -0.2)), (UNDER * corner, (0.1, -0.15, 0))),
        "mouthPress": _field((_upper_lip(0.5) * LEFT, (0, -0.14, 0)), (_lower_lip(0.4) * LEFT, (0, 0.22, 0))),
        "mouthUpperUp": _field((_upper_lip() * LEFT, (0, 0.42, 0.05)), (_bump(2.2, -2.6, 0.9, 0.9), (0.08, 0.15, 0.05))),
        "mouthLowerDown": _field((_lower_lip() * LEFT, (0, -0.45, 0.05)), (_bump(*CORNER, 0.8, 0.7), (0.05, -0.1, 0))),
        "noseSneer": _field(
            (_bump(1.6, -0.6, 0.8, 1.1), (0.14, 0.5, 0.1)),
            (_upper_lip() * LEFT, (0, 0.22, 0)),
            (brow * inner, (-0.1, -0.25, 0)),
        ),
    }


def _middle_fields() -> dict[str, Tensor]:
    """Of those without sides."""
    brow = FIXED * torch.exp(-(((Y - 4.7).clamp(min=0) / 2.4) ** 2) / 2)
    inner = torch.exp(-(((X.abs() - 1.4) / 1.4) ** 2) / 2)
    cheeks = _bump(4.9, -3.2, 1.6, 1.5), _bump(-4.9, -3.2, 1.6, 1.5)
    round_mouth = _mouth() * (Y - MOUTH_LINE)
    part = torch.where(Y < MOUTH_LINE, -1.0, 1.0) * (_upper_lip() + _lower_lip())
    shift = _mouth(2.9, 1.9)
    jaws = jaw()
    sideways = _field((jaws, (0.75, 0, 0)), (_mouth() * (1 - jaws), (0.25, 0, 0)))
    return {
        "browInnerUp": _field((brow * inner, (0, 0.85, 0))),
        "cheekPuff": _field((cheeks[0], (1.0, 0.05, 1.0)), (cheeks[1], (-1.0, 0.05, 1.0)), (_mouth() * -X, (0.12, 0, 0))),
        "jawForward": _field((jaws, (0, 0.1, 1.3)), (_lower_lip(), (0, 0.22, 0.3))),
        "jawLeft": sideways,
        "jawRight": _mirrored(sideways),
        "jawOpen": _jaw_open(),
        "mouthFunnel": _towards_middle(0.5) + _field((part, (0, 0.46, 0.3)), (round_mouth, (0, 0.16, 0.1))),
        "mouthPucker": _towards_middle(0.7) + _field((round_mouth, (0, 0.34, 0)), (_mouth(), (0, 0, 0.6))),
        "mouthLeft": _field((shift, (0.75, 0.05, 0))),
        "mouthRight": _mirrored(_field((shift, (0.75, 0.05, 0)))),
        "mouthRollLower": _field(
            (_lower_lip(0.5) * (MOUTH_LINE - Y).clamp(0, 1.2), (0, 0.36, -0.2)), (_lower_lip(0.8), (0, 0.12, 0))
        ),
        "mouthRollUpper": _field(
            (_upper_lip(0.5) * (Y - MOUTH_LINE).clamp(0, 1.0), (0, -0.42, -0.2)), (_upper_lip(0.6), (0, -0.05, 0))
        ),
        "mouthShrugLower": _field((_bump(0, -6.0, 2.2, 1.5) * UNDER, (0, 0.42, 0.15)), (_lower_lip(), (0, 0.15, 0.1))),
        "mouthShrugUpper": _field((_upper_lip(), (0, 0.32, 0.1)), (UNDER * _mouth(2.2, 1.0), (0, 0.22, 0))),
    }


@lru_cache(maxsize=8)
def basis(device: torch.device) -> Tensor:
    """(52, 468 x 3) cm of movement at 1, in the order of ``NAMES``; zero for those of lids, gaze and closing lips."""
    fields = _middle_fields()
    for name, field in _left_fields().items():
        fields[f"{name}Left"], fields[f"{name}Right"] = field, _mirrored(field)
    still = torch.zeros((VERTICES, 3))
    return torch.stack([fields.get(name, still) for name in NAMES]).reshape(len(NAMES), -1).to(device)


SMALLEST = 1e-3
"""px per cm: of a face that is no face."""

_LANDMARK_AXES = (1.0, -1.0, -1.0)
"""Landmarks have y down and z away from the viewer; the mean face has y up and z to the front."""

_AT = {name: index for index, name in enumerate(NAMES)}


def moved(landmarks: Tensor, pose: Pose, weights: list[float]) -> Tensor:
    """(468, 3) where the vertices of a face's landmarks go, frame px, by weights of the 52 shapes in the order of ``NAMES``."""
    device = landmarks.device
    # Only differences of these count, so they need no origin.
    axes = axes_of(pose, device)
    points = landmarks[:VERTICES] @ axes / max(pose.scale, SMALLEST) ** 2
    weights = _let_go(points, weights)
    after = points + (torch.tensor(weights, device=device) @ basis(device)).reshape(VERTICES, 3)
    for side, lids, around in (("Left", LEFT_EYE, LEFT_EYE_AROUND), ("Right", RIGHT_EYE, RIGHT_EYE_AROUND)):
        blink, squint, wide = (weights[_AT[f"eye{what}{side}"]] for what in ("Blink", "Squint", "Wide"))
        down = weights[_AT[f"eyeLookDown{side}"]] - 0.5 * weights[_AT[f"eyeLookUp{side}"]]
        _move_lids(points, after, lids, around, (min(blink, FARTHEST_LID), squint, wide, down))
    _close_lips(points, after, min(weights[_AT["mouthClose"]], 1.0), KISS * min(weights[_AT["mouthPucker"]], 1.0))
    return landmarks[:VERTICES] + (after - points) @ axes.T


def _let_go(points: Tensor, weights: list[float]) -> list[float]:
    """Lips that make a ring or a kiss no longer smile: the smile that is there, and that nobody takes back already, goes."""
    rounded = min(1.0, weights[_AT["mouthFunnel"]] + weights[_AT["mouthPucker"]])
    if rounded <= 0:
        return weights
    left, right, lip = LIPS_INNER[10], LIPS_INNER[0], LIPS_INNER[15]
    lift, half = (
        float(value) for value in ((points[[left, right], 1].mean() - points[lip, 1]), (points[left] - points[right])[0] / 2)
    )
    (first, last), (narrow, broad) = SMILING
    smile = ((lift - first) / (last - first) + (half - narrow) / (broad - narrow)) / 2
    changed = list(weights)
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        there = max(0.0, min(1.0, smile)) + min(0.0, weights[_AT[name]])
        changed[_AT[name]] -= rounded * max(0.0, there)
    return changed


def axes_of(pose: Pose, device: torch.device) -> Tensor:
    """(3, 3) that takes cm in the head's axes, as rows, to px in the landmarks' axes, transposed."""
    return (pose.rotation * pose.rotation.new_tensor(_LANDMARK_AXES)[:, None] * pose.scale).to(device)


def gaze(pose: Pose, weights: list[float], device: torch.device) -> Tensor:
    """(2, 3) px by which the left and the right iris move."""

    def way(side: str, outward: float) -> list[float]:
        across = weights[_AT[f"eyeLookOut{side}"]] - weights[_AT[f"eyeLookIn{side}"]]
        up = weights[_AT[f"eyeLookUp{side}"]] - weights[_AT[f"eyeLookDown{side}"]]
        return [outward * across * GAZE[0], up * GAZE[1], 0.0]

    return torch.tensor([way("Left", 1.0), way("Right", -1.0)], device=device) @ axes_of(pose, device).T


def _move_lids(
    points: Tensor, after: Tensor, lids: tuple[int, ...], around: tuple[int, ...], amounts: tuple[float, float, float, float]
) -> None:
    """The upper lid comes down on the lower one, which meets it a little; skin within one ring of the lids goes along."""
    blink, squint, wide, down = amounts
    if not any(amounts):
        return
    upper, lower = list(lids[:8:-1]), list(lids[1:8])
    height = points[upper] - points[lower]
    # A lid that is nearly closed already has little way to go.
    close = max(-0.6, min(1.1, 1.05 * blink + 0.2 * squint + 0.35 * down))
    raise_ = 0.07 * blink + 0.32 * squint - 0.1 * down
    # Closed eyes stay closed: there is nothing to be seen behind the lids.
    wide *= min(1.0, max(0.0, (float(height[:, 1].mean()) - SHUT) / SHUT))
    profile = torch.sin(torch.linspace(0, math.pi, 9, device=points.device)[1:-1])[:, None]
    # Beyond 1 there is little more to be had.
    wide *= 1.24 - 0.24 * wide
    lift = profile * points.new_tensor([0.0, 0.5 * wide, 0.0])
    fall = profile * points.new_tensor([0.0, -0.2 * wide, 0.0])
    move_upper = -height * close + lift
    move_lower = height * min(raise_, max(0.0, 1.05 - close)) + fall
    after[upper] += move_upper
    after[lower] += move_lower
    after[list(around[:8:-1])] += move_upper * 0.45
    after[list(around[1:8])] += move_lower * 0.6


def _close_lips(points: Tensor, after: Tensor, amount: float, kiss: float) -> None:
    """Draws the lips together where they are apart, the lower one most of the way: by a share of what there is, and for a kiss
    of what there was before other shapes opened it."""
    if amount <= 0 and kiss <= 0:
        return
    lower, upper = list(range(1, 10)), list(range(19, 10, -1))
    inner, outer = torch.tensor(LIPS_INNER, device=after.device), torch.tensor(LIPS_OUTER, device=after.device)
    low, high = inner[lower], inner[upper]
    gap = after[high] - after[low]
    gap[:, 1] = gap[:, 1].clamp(min=0)
    before = (points[high] - points[low])[:, 1].clamp(min=0) / gap[:, 1].clamp(min=SMALLEST)
    gap = gap * (amount + (1 - amount) * max(0.0, kiss) * before.clamp(max=1.0))[:, None]
    for loop, share in ((inner, 1.0), (outer, 0.9)):
        after[loop[lower]] += gap * 0.7 * share
        after[loop[upper]] -= gap * 0.3 * share
