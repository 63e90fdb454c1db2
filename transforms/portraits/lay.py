"""Lays a portrait's face over a live one: its texture moves with the live mesh, under the live light.

What is coarse (colour and light) comes from the live face, what is fine (features) from the portrait, as far as ``Look`` says.
Only the planes of the region are touched, and where nothing of the portrait shows they stay as they are to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.faces.mesh import TRIANGLES, VERTICES
from transforms.faces.raster import around, interpolated, polygon
from transforms.faces.regions import LEFT_EYE, LIPS_INNER, RIGHT_EYE
from transforms.faces.warp import grown
from transforms.frame import Box, Frame
from transforms.people.resize import double
from transforms.portraits.layout import layout
from transforms.portraits.texture import Size
from transforms.portraits.tone import tone

CELLS = 120
"""Cells across the box, at most twice as many: between them positions and colours are interpolated."""

FLOOR = 0.04
"""Of the portrait's share, below which it is nothing: so it ends inside the mesh and not on its rim."""

EDGE = 0.045
"""Width of the soft edges about live eyes and what is between live lips, by the width of the mouth."""

LEAST_EDGE = 1.5
"""px"""

SOFT = 3.0
"""px of such an edge, from which on it is drawn at half size."""

SPACE = 8
"""px between two openings on the sheet where their masks are drawn."""


@dataclass(frozen=True, slots=True)
class Look:
    """How much of the portrait shows, each 0 to 1."""

    opacity: float
    match: float
    """How far light and colour are the live ones; at the seam they always are."""


class Parts(NamedTuple):
    """Of the mesh's vertices, (468,) each, 0 to 1."""

    share: Tensor
    """How much of what is seen there is the portrait's."""
    live_skin: Tensor
    """How surely the live face has bare skin there."""
    worn_skin: Tensor
    """How surely the portrait has."""
    plain: Tensor
    """How much of the portrait's detail is left out: there it is smooth skin of the live colour."""


def lay(frame: Frame, landmarks: Tensor, parts: Parts, size: Size, scale: float, look: Look) -> None:
    """Writes into the frame's planes. ``landmarks`` (478, 3) are the live ones, ``scale`` the px of a cm."""
    points = landmarks[:VERTICES]
    box = around(points[_worn_vertices(points.device)], 2.0, (frame.width, frame.height))
    if box.empty or min(box.width, box.height) < 4:
        return
    step = 2 if max(box.width, box.height) < 2 * CELLS else 4
    values = torch.cat((size.points, torch.stack(parts, 1)), 1)
    # One cell more on each side, for what is enlarged.
    found = interpolated(points, values, _worn_triangles(points.device), grown(box, step), step)
    share = ((found[2] - FLOOR) / (1 - FLOOR)).clamp_(0, 1)
    worn_y, worn_uv = _sampled(size, found[:2], box, step)
    planes = frame.planes
    area = (slice(box.top, box.bottom), slice(box.left, box.right))
    half = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
    black = float(frame.color.black)
    live_y = planes.y[area].float().sub_(black)
    live_uv = torch.stack((planes.u[half], planes.v[half])).float().sub_(128)
    maps = tone((live_y, live_uv), (worn_y, worn_uv), share, found[3:].clamp(0, 1), scale, step, look.match)
    maps *= look.opacity
    times = step // 2
    coarse = maps
    for _ in range(times.bit_length() - 1):
        coarse = double(coarse)
    fine = double(coarse[[0, 1, 3]])
    keep = step
    fine = fine[:, keep : keep + box.height, keep : keep + box.width]
    keep = step // 2
    coarse = coarse[:, keep : keep + live_uv.shape[1], keep : keep + live_uv.shape[2]]
    change_y = worn_y.mul_(fine[1]).add_(fine[2]).addcmul_(live_y, fine[0], value=-1)
    change_uv = worn_uv.mul_(coarse[2]).add_(coarse[4:]).addcmul_(live_uv, coarse[0], value=-1)
    _open(change_y, change_uv, landmarks, box)
    y, u, v = frame.writable()
    y[area] = live_y.add_(change_y).add_(black + 0.5).clamp_(0, 255).to(torch.int16).to(torch.uint8)
    u[half], v[half] = live_uv.add_(change_uv).add_(128.5).clamp_(0, 255).to(torch.int16).to(torch.uint8)


@lru_cache(maxsize=8)
def _worn_triangles(device: torch.device) -> Tensor:
    """Those on which something of a portrait may show."""
    return TRIANGLES[(layout(torch.device("cpu")).share[TRIANGLES] > FLOOR).any(1)].to(device)


@lru_cache(maxsize=8)
def _worn_vertices(device: torch.device) -> Tensor:
    worn = torch.zeros(VERTICES, dtype=torch.bool, device=device)
    worn[_worn_triangles(device).reshape(-1)] = True
    return worn


def _sampled(size: Size, where: Tensor, box: Box, step: int) -> tuple[Tensor, Tensor]:
    """The portrait's luma and chroma over the box, looked up at the places (2, rows, columns) of its cells."""
    grid = where
    for _ in range((step // 2).bit_length() - 1):
        grid = double(grid)
    rows, columns = -(-box.height // 2), -(-box.width // 2)
    keep = step // 2
    half = grid[:, keep : keep + rows, keep : keep + columns].permute(1, 2, 0)[None]
    whole = double(grid)[:, step : step + box.height, step : step + box.width].permute(1, 2, 0)[None]
    luma = F.grid_sample(size.luma, whole, mode="bilinear", padding_mode="border", align_corners=False)[0, 0]
    chroma = F.grid_sample(size.chroma, half, mode="bilinear", padding_mode="border", align_corners=False)[0]
    return luma, chroma


def _open(change_y: Tensor, change_uv: Tensor, landmarks: Tensor, box: Box) -> None:
    """Takes the portrait off the live eyes and what is between the live lips."""
    loops = [landmarks[list(loop), :2] for loop in (LEFT_EYE, RIGHT_EYE, LIPS_INNER)]
    # The two corners are half a loop apart.
    edge = max(LEAST_EDGE, EDGE * float((loops[2][0] - loops[2][len(loops[2]) // 2]).norm()))
    holes = [around(loop, edge / 2 + 1, (box.right, box.bottom)) for loop in loops]
    holes = [hole._replace(left=max(hole.left, box.left), top=max(hole.top, box.top)) for hole in holes]
    pairs = [(loop, hole) for loop, hole in zip(loops, holes, strict=True) if not hole.empty]
    if not pairs:
        return
    # All three on one sheet, one below the other, as a single polygon: lines there and back enclose nothing.
    path, top = [], 0
    for loop, hole in pairs:
        path += [loop.new_zeros((1, 2)), _on_sheet(loop, hole, top), _on_sheet(loop[:1], hole, top)]
        top += hole.height + SPACE
    width = max(hole.width for hole in holes)
    if edge >= SOFT:
        sheet = polygon(torch.cat(path) / 2, Box(0, 0, -(-width // 2), -(-top // 2)), edge / 2)
        mask = 1 - double(sheet[None])[0]
    else:
        mask = 1 - polygon(torch.cat(path), Box(0, 0, width, top), edge)
    top = 0
    for _, hole in pairs:
        part = mask[top : top + hole.height, : hole.width]
        left, upper = hole.left - box.left, hole.top - box.top
        change_y[upper : upper + hole.height, left : left + hole.width] *= part
        half = F.avg_pool2d(part[None], 2, ceil_mode=True, count_include_pad=False)[0]
        change_uv[:, upper // 2 : upper // 2 + half.shape[0], left // 2 : left // 2 + half.shape[1]] *= half
        top += hole.height + SPACE


def _on_sheet(points: Tensor, hole: Box, top: int) -> Tensor:
    return points - points.new_tensor([hole.left, hole.top - top])
