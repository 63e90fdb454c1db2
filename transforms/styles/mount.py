"""Mounts drawings on the faces that they were drawn from, wherever these are by now and whatever they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.faces.mesh import VERTICES, triangles
from transforms.faces.raster import around, centres, polygon
from transforms.faces.regions import FACE_OVAL, LEFT_EYE, LIPS_INNER, RIGHT_EYE
from transforms.faces.sampling import Placement
from transforms.faces.warp import displacement, step_of
from transforms.frame import Box, Frame
from transforms.styles.alignment import SIZE
from transforms.styles.portrait import LARGE, SQUARE, Portrait

CELL = step_of(SQUARE)
"""px of the drawing between two places at which its displacement is worked out."""

FADING = 48.0
"""px of the drawing around the face over which what the face does fades: hair and ears go with it."""

WINDOW = 0.98, 0.22
"""Where a head is cut off, from the square's middle to its edge, and over how much of that it fades."""

CENTRE = 0.46
"""The window's middle, from the top of the square: it rather cuts the neck than the hair."""

WIDER = SIZE / (SIZE + 2 * CELL)
"""A displacement has one cell more than the square on each side."""

TIGHTEST = 2.0
"""px of the drawing over which any edge fades."""


APART = 8.0, 16.0
"""px of the drawing, root mean square, by which a face has moved in its square while its drawing still resembles it, and by
which it no longer does at all. Half a second of lively talk is 5 to 10."""

OPENED = 2.0, 6.0
"""px of the drawing by which a mouth or an eye has opened: what can be stretched, and from where the live one shows."""

OPENINGS = ((13, 14, LIPS_INNER), (386, 374, LEFT_EYE), (159, 145, RIGHT_EYE))
"""The landmarks above and below the middle of each, and its rim."""


def face_mask(points: Tensor, softness: float) -> Tensor:
    """(256, 256) in [0, 1]: the face within its oval of (478, 2) points, px of the drawing; its edge lies mostly inside.

    ``softness`` px.
    """
    softness = max(TIGHTEST, softness)
    rim = points[list(FACE_OVAL)]
    middle = rim.mean(0)
    away = (rim - middle).norm(dim=1, keepdim=True).clamp(min=TIGHTEST)
    # A polygon's edge fades to both sides: drawn in by half of that, little beyond the face is covered.
    return polygon(middle + (rim - middle) * (1 - softness / 2 / away).clamp(min=0.2), SQUARE, softness)


def head_mask(live: Tensor, softness: float) -> Tensor:
    """(256, 256) in [0, 1]: a person's head, of a matte (256, 256) of the live picture in the drawing's square."""
    along = torch.arange(SIZE, device=live.device) / (SIZE / 2)
    across, down = (along - 1)[None] ** 4, (along - 2 * CENTRE)[:, None] ** 4
    reach, fade = WINDOW
    window = ((reach - (across + down).sqrt().sqrt()) / fade).clamp(0.0, 1.0)
    return soft(live, softness) * window * window * (3 - 2 * window)


def soft(mask: Tensor, softness: float) -> Tensor:
    """A mask (256, 256) with its edge drawn in and faded over so many px."""
    reach = max(1, round(softness / 2))
    blurred = F.avg_pool2d(F.pad(mask[None, None], (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)[0, 0]
    return (blurred * 2 - 1).clamp(0.0, 1.0)


class Layer(NamedTuple):
    """What is to be laid over a frame."""

    picture: Tensor
    """(3, h, w) RGB in [0, 1]."""
    mask: Tensor
    """(h, w) in [0, 1]."""
    box: Box


def mount(
    frame: Frame,
    placement: Placement,
    points: Tensor,
    portraits: Sequence[tuple[Portrait, float]],
    mask: Tensor,
    *,
    now: float,
    natural: float,
    head: bool,
) -> Layer | None:
    """Drawings of a face, mixed by weights that add up to 1, to be laid over the frame as far as ``mask`` (256, 256) says;
    None where that is nowhere.

    ``placement`` is the face's square in this frame, ``points`` (478, 2) its landmarks in that square, ``now`` the frame's time
    in s; ``natural`` in [0, 1] of the face's own colours; ``head`` keeps to the heads in the drawings as well.
    """
    box = _around(placement, mask, frame)
    if box.empty:
        return None
    where = _lookup(placement, box, frame.device)
    picture = torch.zeros((3, box.height, box.width), device=frame.device)
    covered = torch.zeros((1, box.height, box.width), device=frame.device)
    for portrait, share in portraits:
        at, visible = where, mask[None]
        if portrait.sitting.time != now:
            at = where + _sampled(_moved(portrait.sitting.points, points), where * WIDER).permute(1, 2, 0) * (2 / SIZE)
            visible = visible * resemblance(portrait.sitting.points, points)
        visible = _sampled(visible * share, where)
        if head:
            visible = visible * _sampled(soft(portrait.head, TIGHTEST * 2)[None], at)
        picture += _sampled(_level(portrait.levels(natural), placement.side), at) * visible
        covered += visible
    return Layer(picture / covered.clamp(min=1e-3), covered[0], box)


def resemblance(then: Tensor, now: Tensor) -> Tensor:
    """(256, 256) or one number in [0, 1]: how much of a drawing can be shown of a face that has moved since, from ``then``
    to ``now``, (478, 2) px of the drawing.

    Where a mouth or an eye has opened, the drawing has nothing to show; and of a head that was turned it is another face.
    """
    apart = (then[:VERTICES] - now[:VERTICES]).square().sum(1).mean().sqrt()
    openings = [(now[above] - now[below]).norm() - (then[above] - then[below]).norm() for above, below, _ in OPENINGS]
    apart, *opened = torch.stack((apart, *openings)).tolist()
    near, far = APART
    shown = torch.tensor(max(0.0, min(1.0, (far - apart) / (far - near))), device=now.device)
    little, much = OPENED
    for opening, (_, _, rim) in zip(opened, OPENINGS, strict=True):
        if opening > little:
            shown = shown * (1 - min(1.0, (opening - little) / (much - little)) * polygon(now[list(rim)], SQUARE, TIGHTEST * 2))
    return shown


def _moved(then: Tensor, now: Tensor) -> Tensor:
    """(2, 66, 66) in px of the drawing: where in it to look, relative to itself, by what the face did since."""
    return displacement(then[:VERTICES], now[:VERTICES], triangles(now.device), SQUARE, FADING)


def _around(placement: Placement, mask: Tensor, frame: Frame) -> Box:
    """The part of the frame that the mask covers."""
    rows, columns = (mask > 0).any(1).nonzero()[:, 0], (mask > 0).any(0).nonzero()[:, 0]
    if not len(rows) or not len(columns):
        return Box(0, 0, 0, 0)
    edges = torch.stack((columns[0], columns[-1] + 1, rows[0], rows[-1] + 1)).float().cpu()
    left, right, top, bottom = edges.tolist()
    corners = torch.tensor([[left, top, 0], [right, top, 0], [left, bottom, 0], [right, bottom, 0]])
    return around(placement.to_frame(corners, SIZE), 1.0, (frame.width, frame.height))


def _lookup(placement: Placement, box: Box, device: torch.device) -> Tensor:
    """(h, w, 2): where each pixel of the box lies in the square, -1 to 1 from edge to edge."""
    x, y = centres(box, 1, device)
    x, y = x - placement.x, y - placement.y
    cos, sin = math.cos(placement.roll) * 2 / placement.side, math.sin(placement.roll) * 2 / placement.side
    return torch.stack((x * cos + y * sin, y * cos - x * sin), -1)


def _sampled(picture: Tensor, where: Tensor) -> Tensor:
    """(c, h, w) of a square (c, s, s) at the places of ``_lookup``."""
    return F.grid_sample(picture[None], where[None], padding_mode="border", align_corners=False)[0]


def _level(levels: Sequence[Tensor], side: float) -> Tensor:
    """The smallest that is not smaller than what is shown."""
    wanted = math.log2(max(1.0, SIZE * LARGE / max(side, 1.0)))
    return levels[min(len(levels) - 1, int(wanted))]
