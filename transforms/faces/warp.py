"""Moves parts of the picture with the mesh: an inverse, piecewise affine warp of the YUV planes.

What does not move stays as it is to the bit: the planes are sampled where they are, and never go through RGB.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.faces.raster import around, interpolated
from transforms.faces.regions import FACE_OVAL
from transforms.frame import Box, Frame
from transforms.people.resize import double

CELLS = 120
"""Cells across the box in which the displacement is worked out; between them it is interpolated, which also rounds off the
bends at the triangles' edges."""

COARSEST = 4
"""px: of a cell, so that a lid or a lip is not lost between two of them."""

STILL = 1e-3
"""px below which nothing moves."""


SEEN = 0.05
"""px of movement from which it is worth a box."""


def step_of(box: Box) -> int:
    """Side of a cell in px: 2 or 4, a whole number of chroma samples."""
    return 2 if max(box.width, box.height) < 2 * CELLS else COARSEST


def warp(frame: Frame, source: Tensor, target: Tensor, triangles: Tensor, box: Box, margin: float) -> None:
    """Shows at the ``target`` points what was at the ``source`` points, both (N, 2 or 3) in frame px, as vertices of
    ``triangles``; with a third column, depth, the nearest triangle shows.

    The movement of the rim (``regions.FACE_OVAL``) fades to nothing over ``margin`` px around it; beyond, and outside of the
    box, not a bit changes. The box is that of ``reach``, or any larger one. Nothing is done where nothing moves.
    """
    if box.empty or float((source[:, :2] - target[:, :2]).abs().max()) < STILL:
        return
    displace(frame, displacement(source, target, triangles, box, margin), box)


def reach(source: Tensor, target: Tensor, triangles: Tensor, margin: float, size: tuple[int, int]) -> Box:
    """The box for ``warp`` in a picture (width, height): around the triangles that move enough to be seen, and with the margin
    where the rim does. Empty where nothing moves or is in the picture."""
    moving = (source[:, :2] - target[:, :2]).abs().amax(1) >= SEEN
    touched = torch.zeros(len(source), dtype=torch.int64, device=source.device)
    each = moving[triangles].any(1).long()[:, None].expand(-1, 3)
    touched.scatter_reduce_(0, triangles.reshape(-1), each.reshape(-1), "amax")
    rim = moving[list(FACE_OVAL)].any()
    both = torch.stack((source[:, :2], target[:, :2]))
    nowhere = both.new_tensor(float("inf"))
    low = torch.where(touched[:, None] > 0, both, nowhere).amin((0, 1))
    high = torch.where(touched[:, None] > 0, both, -nowhere).amax((0, 1))
    room = rim * margin + COARSEST
    box = around(torch.stack((low - room, high + room)), 0, size)
    # On a grid of whole cells, so that these stay where they are while the face moves.
    return box._replace(left=box.left // COARSEST * COARSEST, top=box.top // COARSEST * COARSEST)


def displacement(source: Tensor, target: Tensor, triangles: Tensor, box: Box, margin: float) -> Tensor:
    """(2, h, w) in px: where to look, relative to itself, for what each cell (``step_of``) is to show; one cell more than the
    box on each side."""
    step = step_of(box)
    # Enlarging reaches a cell further.
    points, skirt = _skirted(target, FACE_OVAL, max(margin - step, float(step)))
    moved = torch.cat((source[:, :2] - target[:, :2], target.new_zeros((len(FACE_OVAL), 2))))
    return flow(points, moved, torch.cat((skirt, triangles)), box)


def flow(points: Tensor, moves: Tensor, triangles: Tensor, box: Box, step: int | None = None) -> Tensor:
    """(2, h, w) on the cells of ``displacement``, or of another size: the moves (N, 2) of the points, between them as in the
    triangles (later ones over earlier ones where there is no depth), and 0 where no triangle is."""
    step = step or step_of(box)
    return interpolated(points, moves, triangles, grown(box, step), step)


def grown(box: Box, step: int) -> Box:
    """A box of whole cells with one more on each side."""
    width, height = -(-box.width // step) * step, -(-box.height // step) * step
    return Box(box.left - step, box.top - step, box.left + width + step, box.top + height + step)


def displace(frame: Frame, field: Tensor, box: Box) -> None:
    """Applies a field of ``displacement`` to the planes. What it finds outside of the box is the box's edge."""
    step, (rows, columns) = step_of(box), field.shape[1:]
    x = torch.arange(columns, device=field.device) * step - step / 2 + field[0]
    y = (torch.arange(rows, device=field.device) * step - step / 2)[:, None] + field[1]
    where = torch.stack((x, y))[None]
    planes = frame.planes
    chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    luma = planes.y[box.top : box.bottom, box.left : box.right][None]
    colours = torch.stack((planes.u[chroma], planes.v[chroma]))
    new_y = _sampled(luma, where, step, 1)
    new_uv = _sampled(colours, where, step, 2)
    y, u, v = frame.writable()
    y[box.top : box.bottom, box.left : box.right] = new_y[0]
    u[chroma], v[chroma] = new_uv


def _sampled(planes: Tensor, where: Tensor, step: int, pixel: int) -> Tensor:
    """(n, h, w) uint8 planes whose samples are ``pixel`` luma px wide, looked up at the places (1, 2, rows, columns)."""
    height, width = planes.shape[1:]
    # grid_sample wants -1 to 1 from edge to edge.
    scale = torch.tensor([2.0 / (width * pixel), 2.0 / (height * pixel)], device=planes.device)[:, None, None]
    grid = where * scale - 1
    times = step // pixel
    grid = grid[0]
    for _ in range(times.bit_length() - 1):
        grid = double(grid)
    grid = grid[:, times : times + height, times : times + width].permute(1, 2, 0)[None]
    # Bicubic for luma: a bilinear one softens what moves by half a pixel, and a face that is reshaped moves all the time.
    mode = "bicubic" if pixel == 1 else "bilinear"
    found = F.grid_sample(planes[None].float(), grid, mode=mode, padding_mode="border", align_corners=False)[0]
    # By way of int16, which is faster than straight to uint8; one half more, so that cutting off rounds.
    return found.add_(0.5).clamp_(0, 255).to(torch.int16).to(torch.uint8)


def _skirted(points: Tensor, loop: Sequence[int], margin: float) -> tuple[Tensor, Tensor]:
    """The points with one more outside of each of the loop's, and the triangles between both."""
    count, size = len(points), len(loop)
    inner = torch.tensor(loop, device=points.device)
    rim = points[inner]
    along = rim.roll(-1, 0)[:, :2] - rim.roll(1, 0)[:, :2]
    outward = torch.stack((along[:, 1], -along[:, 0]), 1)
    # The loop goes round one way or, mirrored or seen from behind, the other.
    middle = rim[:, :2].mean(0)
    turned = ((rim[:, :2] - middle) * outward).sum().sign()
    outward = outward * turned / outward.norm(dim=1, keepdim=True).clamp(min=STILL)
    outer = rim.clone()
    outer[:, :2] += outward * margin
    if points.shape[1] > 2:
        # Behind the face: where the rim of a turned head lies before it, the face shows.
        outer[:, 2] = points[:, 2].max() + margin
    here = torch.arange(size, device=points.device)
    following = (here + 1) % size
    first = torch.stack((inner, count + here, inner[following]), 1)
    second = torch.stack((inner[following], count + here, count + following), 1)
    return torch.cat((points, outer)), torch.cat((first, second))
