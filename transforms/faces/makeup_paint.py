"""Pigment on skin, in YUV: the colour is the pigment's, the texture and the shading stay the skin's own."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.frame import Box, Frame
from transforms.people.resize import halve

SHALLOW = 2.5
"""Brightness by the area's mean above which a pixel is not told apart: a highlight, or no skin."""

GLOSS_FROM = 1.1
"""Luma by the area's mean from which a pixel shines."""

MATTE, GLOSS = 0.65, 0.9
"""Share of the shine that a matte finish takes away, and that a glossy one adds: white, as reflections are."""

BRIGHT, FAINT = 1.3, 0.25
"""Bounds of a pigment's chroma by its own where it is lighter or darker: light pigment on dark skin would glow, otherwise."""


EDGE_COLOUR = 0.6
"""By how much more of a pigment's chroma there is in samples that lie hardly in it."""

SHEER = 0.6
"""How much of a stain gives way where skin shines most."""

MOST_SHINE = 0.4
"""Share of a pigment's luma that its shine may take from the rest, and brightness beyond ``GLOSS_FROM`` that is all shine."""


class Paint(NamedTuple):
    """A pigment, ready to be put on. Codes are 8-bit, luma from black on, chroma about 0."""

    luma: float
    u: float
    v: float
    opacity: float
    """0 to 1."""
    shine: float
    """-1 matte, 0 satin, 1 glossy."""

    def lit(self, light: float) -> Paint:
        """In that much of ordinary light."""
        return Paint(self.luma * light, self.u * light, self.v * light, self.opacity, self.shine)


class Area(NamedTuple):
    """A piece of a picture, float32: luma codes from black on (h, w), chroma codes about 0 (2, ceil(h/2), ceil(w/2)), or both
    at the chroma's size."""

    y: Tensor
    uv: Tensor


def read(frame: Frame, box: Box) -> Area:
    """The box, whose edges are on the chroma grid."""
    y, u, v = frame.planes
    luma, chroma = _slices(box)
    return Area(y[luma].float().sub_(frame.color.black), torch.stack((u[chroma], v[chroma])).float().sub_(128.0))


def write(frame: Frame, box: Box, area: Area) -> None:
    """Back to where it was read. What has not changed stays as it is to the bit."""
    y, u, v = frame.writable()
    luma, chroma = _slices(box)
    y[luma] = _codes(area.y.add(frame.color.black))
    u[chroma], v[chroma] = _codes(area.uv.add(128.0))


def tint(area: Area, mask: Tensor, paint: Paint, level: Tensor, *, keep: float = 1.0, body: float = 1.0) -> Area:
    """Puts pigment on an area where the mask (of the luma's size, 0 to 1) is not 0.

    ``level`` is the mean luma of what is there: pixels above and below it become lighter and darker than the pigment by the
    same ratio, to the power of ``keep``. ``body`` is how much of the luma is replaced at all, the rest being the skin's.
    """
    luma = max(paint.luma, 1.0)
    level = level.clamp(min=1.0)
    ratio = (area.y / level).clamp_(0.0, SHALLOW)
    shine = (ratio - GLOSS_FROM).clamp_(min=0.0) if paint.shine else None
    if shine is not None and paint.shine < 0:
        ratio += shine * (paint.shine * MATTE)
    # Light pigment on something dark would blow its contrast up, so the exponent gives way there.
    diffuse = ratio.pow_((level / luma).sqrt().clamp(max=1.0) * keep)
    if shine is not None and paint.shine > 0:
        shine *= level * (paint.shine * GLOSS)
        # What shines is taken from the rest, so that the mean stays the pigment's.
        # Its chroma stays whole, too: light that is added in the mean takes none away.
        kept = luma * (1 - (mean(shine, mask) / luma).clamp(max=MOST_SHINE))
        shaded = torch.addcmul(shine, diffuse, kept)
    else:
        shaded = diffuse * luma
    weight = mask
    y = torch.lerp(area.y, shaded, mask if body == 1 else mask * body)
    if body < 1:
        # What shows through is as bright as the skin: the pigment's chroma goes with it.
        diffuse = y / luma
    if area.y.shape != area.uv.shape[1:]:
        weight, diffuse = pooled(torch.stack((mask, diffuse)))
        # A sample of chroma at the edge is for both sides: more for the painted one, or small lips would turn out pale.
        weight = weight * (1 + EDGE_COLOUR - EDGE_COLOUR * weight)
    return Area(y, torch.lerp(area.uv, _pigment(paint, diffuse), weight))


def stain(area: Area, mask: Tensor, paint: Paint, level: Tensor, body: float) -> Area:
    """Likewise for what is thin and lets the skin show: a hue, and ``body`` of the difference in luma."""
    ratio = area.y / level.clamp(min=1.0)
    gain = (paint.luma / level.clamp(min=1.0)).clamp(max=1.0).sub(1.0).mul(body)
    change = area.y * gain
    # What shines is the light's colour.
    mask = mask * (ratio - GLOSS_FROM).clamp_(0.0, MOST_SHINE).mul_(-1 / MOST_SHINE * SHEER).add_(1.0)
    if paint.shine:
        change += (ratio - GLOSS_FROM).clamp_(min=0.0).mul_(level * (paint.shine * (MATTE if paint.shine < 0 else GLOSS)))
    return Area(torch.addcmul(area.y, change, mask), torch.lerp(area.uv, _pigment(paint, ratio.clamp(max=1.0)), mask))


def _pigment(paint: Paint, brightness: Tensor) -> Tensor:
    """Chroma (2, h, w) of a pigment that is lit so much, by its own luma."""
    shade = brightness.clamp(FAINT, BRIGHT)
    return torch.stack((shade * paint.u, shade * paint.v))


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """(...,) of (..., h, w) under a mask (h, w); 0 where the mask is empty."""
    return (values * mask).sum((-2, -1)) / mask.sum().clamp(min=1e-3)


def pooled(y: Tensor) -> Tensor:
    """(..., h, w) at the chroma's size: means over 2x2, and of what there is at an odd edge."""
    height, width = y.shape[-2:]
    if height % 2 or width % 2:
        y = F.pad(y.reshape(1, -1, height, width), (0, width % 2, 0, height % 2), mode="replicate").reshape(
            *y.shape[:-2], height + height % 2, width + width % 2
        )
    return halve(y).mul_(0.25)


def _codes(values: Tensor) -> Tensor:
    # By way of int16: several times as fast as straight to uint8.
    return values.add_(0.5).clamp_(0.0, 255.0).to(torch.int16).to(torch.uint8)


def _slices(box: Box) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    return (
        (slice(box.top, box.bottom), slice(box.left, box.right)),
        (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2))),
    )
