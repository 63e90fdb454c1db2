"""What is seen between lips that were closed a moment ago: teeth, a tongue and the dark behind them.

It is a hint, not a likeness: shaded from the scene's own light and the lips' own colour, and a little blurred.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import yuv444_to_rgb
from transforms.faces.blend import paste
from transforms.faces.openings import COLUMNS, Opened
from transforms.faces.pose import Pose
from transforms.faces.raster import around, centres, polygon
from transforms.faces.regions import LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_EYE
from transforms.frame import Frame

LEAST_OPENING = 1.0, 3.0
"""px of the gap: from the first on something is painted, from the second on in full."""

TOOTH_EDGE = 0.3
"""cm by which the upper teeth end below the closed lips' line, in the middle."""

ARCH = 0.35
"""By how much less at 2 cm beside it."""

OVERLAP = 1.05
"""By which the inside is drawn larger than the gap: the lips' stretched edges lie under it."""

GAPS = (0.0, 0.85, 1.5, 2.15)
"""cm from the middle: between incisors, canines, premolars."""

TEETH = (1.0, 0.94, 0.84)
"""Their colour under white light."""

LARGE = 12.0
"""px per cm from which the inside, which is soft, is painted at half size."""

BRIGHT = 0.9
"""Quantile of the eyes' luma that tells the white of the eye, and so the light."""


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """What the scene says of colours inside a mouth."""

    lips: Tensor
    """(3,) RGB, mean of the lips."""
    white: Tensor
    """(): how bright something white is in this light, 0 to 1."""

    def eased(self, now: Light, share: float) -> Light:
        """This, a share of the way to what was measured now."""
        return Light(torch.lerp(self.lips, now.lips, share), torch.lerp(self.white, now.white, share))


def light_of(frame: Frame, landmarks: Tensor) -> Light | None:
    """Measured on the untouched frame; None where the lips are not in the picture."""
    size = (frame.width, frame.height)
    x, y = ((landmarks[list(LIPS_OUTER), :2] + landmarks[list(LIPS_INNER), :2]) / 2).long().unbind(1)
    width, height = size
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not bool(inside.any()):
        return None
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    planes = frame.planes
    yuv = torch.stack((planes.y[y, x], planes.u[y // 2, x // 2], planes.v[y // 2, x // 2])).float()
    rgb = yuv444_to_rgb(yuv, frame.color)
    colour = (rgb * inside).sum(1) / inside.sum()
    eyes = []
    for lids in (LEFT_EYE, RIGHT_EYE):
        eye = around(landmarks[list(lids)], 0, size)
        eyes.append(frame.planes.y[eye.top : eye.bottom, eye.left : eye.right].reshape(-1).float())
    luma = torch.cat(eyes)
    black = float(frame.color.black)
    white = colour.max() if luma.numel() == 0 else (torch.quantile(luma, BRIGHT) - black) / (255 - 2.2 * black)
    return Light(colour, torch.maximum(white * 1.3, colour.max() * 1.3).clamp(0.05, 0.95))


def parted(opened: Opened) -> bool:
    """Whether a movement opens a gap that is to be painted."""
    return opened.opening > LEAST_OPENING[0]


def paint_inside(frame: Frame, opened: Opened, pose: Pose, light: Light) -> None:
    """Paints the gap of a movement that ``warp`` has just shown."""
    low, high = LEAST_OPENING
    amount = min(1.0, max(0.0, (opened.opening - low) / (high - low)))
    scale = max(pose.scale, 1e-3)
    feather = max(1.5, 0.12 * scale)
    box = around(opened.gap, feather + OVERLAP, (frame.width, frame.height))
    if amount == 0 or box.empty:
        return
    middle = opened.gap.mean(0)
    mask = polygon(middle + (opened.gap - middle) * OVERLAP, box, feather) * amount
    step = 2 if scale >= LARGE else 1
    picture = _inside(opened, scale, light, *centres(box, step, frame.device))
    if step > 1:
        picture = F.interpolate(picture[None], scale_factor=step, mode="bilinear", align_corners=False)[0]
    paste(frame, picture[:, : box.height, : box.width], mask, box)


def _inside(opened: Opened, scale: float, light: Light, x: Tensor, y: Tensor) -> Tensor:
    """(3, h, w) RGB of the inside of the mouth over its surroundings."""
    right, left = opened.gap[0], opened.gap[COLUMNS + 1]
    middle = (right + left) / 2
    along = (left - right) / (left - right).norm().clamp(min=1e-6)
    # The person's left is on the picture's right, unless the picture is mirrored: down is where the gap's lower edge is.
    down = torch.stack((-along[1], along[0]))
    down = down * torch.sign((opened.gap[1 + COLUMNS // 2] - opened.gap[-1 - COLUMNS // 2]) @ down)
    u = ((x - middle[0]) * along[0] + (y - middle[1]) * along[1]) / scale
    v = ((x - middle[0]) * down[0] + (y - middle[1]) * down[1]) / scale

    def curve(points: Tensor) -> Tensor:
        """The height of a line through points, over each pixel, cm."""
        apart = (points - middle) / scale
        return _interpolated(u, apart @ along, apart @ down)

    top, bottom = curve(opened.gap[[0, *range(-1, -COLUMNS - 1, -1), COLUMNS + 1]]), curve(opened.gap[: COLUMNS + 2])
    rest = curve(torch.stack([right, *opened.rest.unbind(0), left]))
    soft = max(0.06, 1.2 / scale)
    height = (bottom - top).clamp(min=0.05)
    depth = ((v - top) / height).clamp(0, 1)
    half = ((left - right).norm() / scale / 2).clamp(min=0.5)
    side = (u / half).clamp(-1, 1) ** 2

    lips = light.lips[:, None, None]
    redder = lips.new_tensor([1.0, 0.62, 0.6])[:, None, None]
    # Dark, and darker towards the palate and the corners.
    picture = lips * redder * (0.12 + 0.16 * depth * (1 - side))
    # The tongue lies on the lower jaw, its tip behind the lower teeth.
    rise = 0.62 * (1 - 0.85 * side) * height
    tongue = _step(v - (bottom - rise), 3 * soft) * (1 - side)
    groove = 1 - 0.1 * torch.exp(-((u / 0.25) ** 2))
    lit = (0.32 + 0.5 * ((v - bottom + rise) / rise.clamp(min=0.05)).clamp(0, 1)) * groove
    picture = torch.lerp(picture, lips * lips.new_tensor([1.0, 0.78, 0.8])[:, None, None] * lit, tongue)
    edge = 1 - 0.2 * _gaps(u, soft)
    shade = (0.95 - 0.55 * side) * edge
    white = light.white * lips.new_tensor(TEETH)[:, None, None]
    lower = _step(v - (bottom - (0.22 - 0.2 * side) * (height / 1.5).clamp(max=1.0)), 2.5 * soft)
    picture = torch.lerp(picture, white * shade * 0.5, lower * 0.35 * opened.hidden)
    ends = rest + TOOTH_EDGE - ARCH * (u / 2) ** 2
    upper = _step(ends - v, 1.5 * soft) * opened.hidden
    shadow = 0.62 + 0.38 * ((v - top) / 0.22).clamp(0, 1)
    return torch.lerp(picture, white * shade * shadow, upper).clamp(0, 1)


def _gaps(u: Tensor, soft: float) -> Tensor:
    """1 between two teeth."""
    width = max(0.03, soft * 0.6)
    return torch.stack([torch.exp(-(((u.abs() - at) / width) ** 2)) for at in GAPS]).amax(0) * min(1.0, 0.05 / width)


def _step(value: Tensor, soft: float) -> Tensor:
    """0 below zero, 1 above, smooth over ``soft`` cm."""
    share = (value / soft + 0.5).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _interpolated(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The broken line through the points x, y at places ``at``; beyond its ends, the ends."""
    x = torch.cummax(x, 0).values
    after = torch.searchsorted(x, at.contiguous()).clamp(1, len(x) - 1)
    low, high = x[after - 1], x[after]
    share = ((at - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    return torch.lerp(y[after - 1], y[after], share)
