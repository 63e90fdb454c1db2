"""What is seen between lips that were closed a moment ago: teeth, a tongue and the dark behind them.

It is a hint, not a likeness: shaded from the scene's own light and the lips' own colour, and a little blurred.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.color import rgb_to_yuv444, yuv444_to_rgb
from transforms.faces.blend import mix
from transforms.faces.openings import COLUMNS, Opened
from transforms.faces.pose import Pose
from transforms.faces.raster import around, centres, polygon
from transforms.faces.regions import LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_EYE
from transforms.frame import Frame
from transforms.people.resize import double, halve

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

DARK, TONGUE = (1.0, 0.62, 0.6), (1.0, 0.78, 0.8)
"""Colours by that of the lips."""

ENTRIES = 65
"""Across the mouth, of the table of where its edges are: some two pixels each in a large face."""

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
    yuv = rgb_to_yuv444(_inside(opened, scale, light, *centres(box, step, frame.device)), frame.color)
    height, width = box.height, box.width
    half = halve(F.pad(mask[None], (0, width % 2, 0, height % 2), mode="replicate")[0]).mul_(0.25)
    luma, chroma = (double(yuv[:1])[0, :height, :width], yuv[1:]) if step == 2 else (yuv[0], _halved(yuv[1:]))
    y, u, v = frame.writable()
    area = (slice(box.top, box.bottom), slice(box.left, box.right))
    under = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    y[area] = mix(y[area], luma, mask)
    u[under], v[under] = mix(u[under], chroma[0], half), mix(v[under], chroma[1], half)


def _halved(planes: Tensor) -> Tensor:
    height, width = planes.shape[1:]
    return halve(F.pad(planes[None], (0, width % 2, 0, height % 2), mode="replicate")[0]).mul_(0.25)


def _inside(opened: Opened, scale: float, light: Light, x: Tensor, y: Tensor) -> Tensor:
    """(3, h, w) RGB of the inside of the mouth over its surroundings."""
    right, left = opened.gap[0], opened.gap[COLUMNS + 1]
    middle = (right + left) / 2
    along = (left - right) / (left - right).norm().clamp(min=1e-6)
    # The person's left is on the picture's right, unless the picture is mirrored: down is where the gap's lower edge is.
    down = torch.stack((-along[1], along[0]))
    down = down * torch.sign((opened.gap[1 + COLUMNS // 2] - opened.gap[-1 - COLUMNS // 2]) @ down)
    # cm from the middle of the mouth.
    across, below = along / scale, down / scale
    u = (x - middle[0]) * across[0] + (y - middle[1]) * across[1]
    v = (x - middle[0]) * below[0] + (y - middle[1]) * below[1]
    half = ((left - right).norm() / scale / 2).clamp(min=0.5)
    upper_edge = opened.gap[[0, *range(-1, -COLUMNS - 1, -1), COLUMNS + 1]]
    lines = torch.stack((upper_edge, opened.gap[: COLUMNS + 2], torch.cat((right[None], opened.rest, left[None])))) - middle
    top, bottom, rest = _curves(u / half, lines @ across / half, lines @ below)
    soft = max(0.06, 1.2 / scale)
    height = (bottom - top).clamp_(min=0.05)
    from_top, from_bottom = v - top, v - bottom
    side = (u / half).clamp_(-1, 1).square_()
    middling = 1 - side

    # How much there is of the dark, of the tongue and of the teeth: what lies over something takes its share away.
    # Dark, and darker towards the palate and the corners.
    dark = (from_top / height).clamp_(0, 1).mul_(middling).mul_(0.16).add_(0.12)
    # The tongue lies on the lower jaw, its tip behind the lower teeth.
    rise = (1 - 0.85 * side).mul_(height).mul_(0.62)
    over = from_bottom + rise
    share = _step(over, 3 * soft).mul_(middling)
    groove = u.square().mul_(-1 / 0.25**2).exp_().mul_(-0.1).add_(1)
    tongue = over.div_(rise.clamp_(min=0.05)).clamp_(0, 1).mul_(0.5).add_(0.32).mul_(groove).mul_(share)
    dark *= 1 - share
    shade = (0.95 - 0.55 * side).mul_(1 - 0.2 * _gaps(u, soft))
    low = (0.22 - 0.2 * side).mul_((height / 1.5).clamp_(max=1.0))
    share = _step(from_bottom + low, 2.5 * soft).mul_(0.35 * opened.hidden)
    teeth = shade * share * 0.5
    left_over = 1 - share
    ends = (u.square() * (-ARCH / 4)).add_(rest).add_(TOOTH_EDGE)
    share = _step(ends - v, 1.5 * soft).mul_(opened.hidden)
    shadow = (from_top / 0.22).clamp_(0, 1).mul_(0.38).add_(0.62)
    teeth = torch.lerp(teeth, shade.mul_(shadow), share)
    left_over *= 1 - share
    amounts = torch.stack((dark.mul_(left_over), tongue.mul_(left_over), teeth))
    colours = light.lips.new_tensor((DARK, TONGUE, TEETH)).T * torch.stack((light.lips, light.lips, light.white.expand(3)), 1)
    return (colours @ amounts.reshape(3, -1)).clamp_(0, 1).reshape(amounts.shape)


def _gaps(u: Tensor, soft: float) -> Tensor:
    """1 between two teeth."""
    width = max(0.03, soft * 0.6)
    apart = (u.abs() - u.new_tensor(GAPS)[:, None, None]).abs_().amin(0)
    return apart.square_().mul_(-1 / width**2).exp_().mul_(min(1.0, 0.05 / width))


def _step(value: Tensor, soft: float) -> Tensor:
    """0 below zero, 1 above, smooth over ``soft`` cm."""
    share = (value / soft + 0.5).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _curves(place: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(n, h, w) heights of n broken lines through points x, y (n, k), at places (h, w) from -1 to 1; beyond, as at the ends.

    By way of a table, in which the pixels look up what few of them would have to search for.
    """
    x = torch.cummax(x, 1).values
    at = torch.linspace(-1, 1, ENTRIES, device=x.device).expand(len(x), -1).contiguous()
    after = torch.searchsorted(x.contiguous(), at).clamp_(1, x.shape[1] - 1)
    low, high = x.gather(1, after - 1), x.gather(1, after)
    share = ((at - low) / (high - low).clamp(min=1e-6)).clamp_(0, 1)
    table = torch.lerp(y.gather(1, after - 1), y.gather(1, after), share)
    entry = place.clamp(-1, 1).add_(1).mul_((ENTRIES - 1) / 2).flatten()
    first = entry.long().clamp_(max=ENTRIES - 2)
    found = torch.cat((table[:, :-1], table[:, 1:] - table[:, :-1])).index_select(1, first)
    return torch.addcmul(found[: len(x)], found[len(x) :], entry.sub_(first)).reshape(-1, *place.shape)
