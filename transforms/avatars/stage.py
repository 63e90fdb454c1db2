"""The portrait in a frame: laid out, kept ready to be looked up, and shown as a field of movement says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.avatars.puppet import CELL
from transforms.avatars.setting import Setting
from transforms.color import Color, rgb_to_yuv444
from transforms.faces.regions import CHIN, FOREHEAD
from transforms.frame import Box, Frame, Planes
from transforms.people.resize import double

Fit = Literal["head", "fill", "whole"]

HEAD = 0.36
"""Of the frame's height: that of the face from chin to forehead, as of somebody before a webcam."""

DIM = 0.55
"""Brightness of the blurred surroundings of a portrait that does not fill the frame."""

BLURRED = 24
"""Cells across the blurred surroundings."""

EYE_LINE = 0.42
"""Where in the frame's height the middle of the face is put, as far as there is picture."""

LARGE = 2
"""Luma is kept at twice its size, enlarged by cubics once, so that it is looked up linearly and still sharp."""

SOFT = 1.5
"""Enlargement of the portrait from which on it is kept as large as it is shown: it has nothing left that could be lost."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the portrait lies in the frame: all of it, and what is seen."""

    portrait: tuple[int, int]
    """Width and height of the portrait itself, px."""
    whole: Box
    """Of all of it, even, frame px; it may reach beyond the frame."""
    box: Box
    """What is seen, on the chroma grid."""

    def points(self, landmarks: Tensor) -> Tensor:
        """(n, 3) portrait px to frame px."""
        across, down = self.whole.width / self.portrait[0], self.whole.height / self.portrait[1]
        return landmarks * landmarks.new_tensor([across, down, across]) + landmarks.new_tensor(
            [self.whole.left, self.whole.top, 0]
        )


def laid_out(landmarks: Tensor, portrait: tuple[int, int], frame: tuple[int, int], fit: Fit) -> Layout:
    """For a face's landmarks, portrait px, and sizes (width, height), px."""
    across, down = frame[0] / portrait[0], frame[1] / portrait[1]
    middle = landmarks[:, :2].mean(0).tolist()
    face = max(1.0, float((landmarks[CHIN] - landmarks[FOREHEAD]).norm()))
    scales = {"head": max(min(across, down), HEAD * frame[1] / face), "fill": max(across, down), "whole": min(across, down)}
    scale = scales[fit]
    width, height = (2 * math.ceil(length * scale / 2 - 1e-6) for length in portrait)

    def start(size: int, room: int, wanted: float) -> int:
        """Even, as are all edges."""
        place = (room - size) / 2 if size <= room else max(room - size, min(0.0, wanted))
        return 2 * round(place / 2)

    left = start(width, frame[0], frame[0] / 2 - middle[0] * scale)
    top = start(height, frame[1], frame[1] * EYE_LINE - middle[1] * scale)
    whole = Box(left, top, left + width, top + height)
    seen = Box(max(0, left), max(0, top), min(frame[0], left + width), min(frame[1], top + height))
    return Layout(portrait, whole, seen.on_chroma_grid(*frame))


class Stage:
    """For frames of one size and colour, on one device."""

    def __init__(self, setting: Setting, layout: Layout, size: tuple[int, int], color: Color, device: torch.device) -> None:
        """``size`` is the frame's width and height."""
        self.size, self.color = size, color
        box = self._box = layout.box
        times = LARGE if layout.whole.width < SOFT * layout.portrait[0] else 1
        large = _resized(torch.cat((setting.rgb, setting.person[None])).to(device), layout, times)
        self._y = rgb_to_yuv444(large[:3], color)[:1].clone()
        small = F.avg_pool2d(large[None], 2 * times)[0]
        self._colours = torch.cat((rgb_to_yuv444(small[:3], color)[1:], small[3:].clamp(0, 1)))
        room = rgb_to_yuv444(_resized(setting.room.to(device), layout, 1), color)
        self._room_y, self._room_colours = room[:1], F.avg_pool2d(room[None, 1:], 2)[0]
        self.planes = self._surroundings(setting, device)
        """All of it, at rest. Not to be written to."""
        rest = torch.zeros((2, -(-box.height // CELL) + 2, -(-box.width // CELL) + 2), device=device)
        frame = Frame(self.planes, color=color)
        self.show(frame, rest, box)
        self.planes = frame.planes

    def show(self, frame: Frame, field: Tensor, box: Box) -> None:
        """Writes what the portrait looks like in the box, which lies in the layout's, where it moves by the field (as
        ``faces.warp.flow`` has it: where to look, relative to itself, px)."""
        if box.empty:
            return
        rows, columns = field.shape[1:]
        whole = self._box
        x = torch.arange(columns, device=field.device) * CELL + (box.left - whole.left - CELL / 2) + field[0]
        y = (torch.arange(rows, device=field.device) * CELL + (box.top - whole.top - CELL / 2))[:, None] + field[1]
        # grid_sample wants -1 to 1 from edge to edge, of the planes' even size.
        even = whole.width + whole.width % 2, whole.height + whole.height % 2
        grid = torch.stack((x.mul_(2 / even[0]).sub_(1), y.mul_(2 / even[1]).sub_(1))).clamp_(-1, 1)
        height, width = box.height + box.height % 2, box.width + box.width % 2
        half = _placed(grid, 1, (height // 2, width // 2))
        colours = _sampled(self._colours, half)
        full = _placed(double(grid), CELL, (height, width))
        luma = _sampled(self._y, full)
        top, left = box.top - whole.top, box.left - whole.left
        room = self._room_y[0, top : top + height, left : left + width]
        top, left = top // 2, left // 2
        room_colours = self._room_colours[:, top : top + height // 2, left : left + width // 2]
        person = colours[2]
        luma = torch.lerp(room, luma[0], double(person[None])[0])
        colours = torch.lerp(room_colours, colours[:2], person)
        plane_y, u, v = frame.writable()
        # By way of int16, which is faster than straight to uint8; one half more, so that cutting off rounds.
        plane_y[box.top : box.bottom, box.left : box.right] = _codes(luma)[: box.height, : box.width]
        place = slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2))
        u[place], v[place] = _codes(colours)

    def _surroundings(self, setting: Setting, device: torch.device) -> Planes:
        """The portrait out of focus, and darker, over the whole frame."""
        width, height = self.size
        small = F.interpolate(setting.rgb[None].to(device), (BLURRED, BLURRED), mode="area")
        even = (height + height % 2, width + width % 2)
        rgb = F.interpolate(small, even, mode="bicubic", align_corners=False)[0].clamp_(0, 1) * DIM
        yuv = rgb_to_yuv444(rgb, self.color)
        chroma = F.avg_pool2d(yuv[None, 1:], 2)[0]
        return Planes(_codes(yuv[0])[:height, :width].contiguous(), _codes(chroma[0]), _codes(chroma[1]))


def _codes(values: Tensor) -> Tensor:
    return (values + 0.5).clamp_(0, 255).to(torch.int16).to(torch.uint8)


def _resized(picture: Tensor, layout: Layout, times: int) -> Tensor:
    """(n, h, w): what is seen of the portrait, of an even size, enlarged ``times``."""
    whole, box = layout.whole, layout.box
    size = whole.height * times, whole.width * times
    large = F.interpolate(picture[None], size, mode="bicubic", align_corners=False, antialias=True)[0].clamp_(0, 1)
    left, top = (box.left - whole.left) * times, (box.top - whole.top) * times
    width, height = (box.width + box.width % 2) * times, (box.height + box.height % 2) * times
    missing = max(0, left + width - large.shape[2]), max(0, top + height - large.shape[1])
    seen = large[:, top : top + height, left : left + width]
    return F.pad(seen[None], (0, missing[0], 0, missing[1]), mode="replicate")[0]


def _placed(grid: Tensor, rim: int, size: tuple[int, int]) -> Tensor:
    """(1, h, w, 2): the grid without its rim, as grid_sample wants it."""
    return grid[:, rim : rim + size[0], rim : rim + size[1]].permute(1, 2, 0)[None]


def _sampled(planes: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(planes[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0]
