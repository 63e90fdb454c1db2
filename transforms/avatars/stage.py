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
"""Luma is enlarged that much by cubics, once, and from there on linearly, to what is looked up: so it stays sharp."""

SOFT = 1.5
"""Enlargement of the portrait from which on it is kept as large as it is shown: it has nothing left that could be lost."""


FINE = 4
"""Sheets per px along each side, on which the nearest place is looked up: it is off by an eighth of a px at most. That takes a
fourth of the time of looking up four and interpolating."""

NOBODY = 1 / 512
"""Of a person, which is less than a code."""

SPOT = 4
"""px: side of a spot of which it is known whether anybody is near."""

LOOK = 4
"""Cells between two places where it is looked up whether anybody is seen there."""

STRIP = 256
"""px: height of the strips, each as wide as what has changed in it."""

STILL = 0.03
"""px of movement below which nothing is drawn again."""


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
        small = F.avg_pool2d(large[None], 2 * times)[0]
        person = small[3:].clamp(0, 1)
        self._someone = _reached(person)
        self._left, self._top, right, bottom = _bounds(person[0])
        part = large[:3, self._top * times : bottom * times, self._left * times : right * times]
        self._y = _codes(_enlarged(rgb_to_yuv444(part, color)[:1], FINE // times))[0]
        """Of the part where somebody is."""
        part = torch.cat((rgb_to_yuv444(small[:3], color)[1:], person * 255))
        part = _enlarged(part[:, self._top // 2 : bottom // 2, self._left // 2 : right // 2], FINE)
        # All of a place beside each other, to be looked up at once.
        self._colours = _codes(F.pad(part, (0, 0, 0, 0, 0, 1))).permute(1, 2, 0).contiguous().view(torch.int32)[..., 0]
        room = rgb_to_yuv444(_resized(setting.room.to(device), layout, 1), color)
        self._room_y, self._room_colours = room[:1], F.avg_pool2d(room[None, 1:], 2)[0]
        self.planes = self._surroundings(setting, device)
        """All of it, at rest. Not to be written to."""
        rest = torch.zeros((2, -(-box.height // CELL) + 2, -(-box.width // CELL) + 2), device=device)
        frame = Frame(self.planes, color=color)
        self._draw(frame.writable(), self._places(rest, box), box, box)
        self.planes = frame.planes

    def show(self, frame: Frame, field: Tensor, box: Box) -> None:
        """Writes what the portrait looks like in the box, which lies in the layout's, where it moves by the field (as
        ``faces.warp.flow`` has it: where to look, relative to itself, px). The frame is the one at rest."""
        if box.empty:
            return
        planes, places = frame.writable(), self._places(field, box)
        for part in self._strips(field, box):
            self._draw(planes, places, box, part)

    def _places(self, field: Tensor, box: Box) -> Tensor:
        """(2, rows, columns): where to look for each cell, in px of what is looked up, and never beside it."""
        rows, columns = field.shape[1:]
        height, width = self._y.shape
        left, top = box.left - self._box.left - self._left - CELL / 2, box.top - self._box.top - self._top - CELL / 2
        places = field * FINE
        x = torch.arange(columns, device=field.device, dtype=field.dtype).add_(left / CELL).mul_(CELL * FINE)
        y = torch.arange(rows, device=field.device, dtype=field.dtype).add_(top / CELL).mul_(CELL * FINE)
        places[0].add_(x).clamp_(0, width - 1)
        places[1].add_(y[:, None]).clamp_(0, height - 1)
        return places

    def _strips(self, field: Tensor, box: Box) -> list[Box]:
        """What of the box has changed, in strips one below the other, on whole cells: where somebody is or was, and moves."""
        inner = field[:, 1:-1, 1:-1]
        # Every other cell will do: next to one that moves others do.
        changed = F.max_pool2d(inner[:, ::2, ::2].abs(), LOOK // 2, ceil_mode=True).amax(0) > STILL
        pitch, count = LOOK * CELL, STRIP // (LOOK * CELL)
        height, width = self._someone.shape
        there = torch.zeros_like(changed)
        for shift in (inner[:, ::LOOK, ::LOOK], field.new_zeros((2, 1, 1))):
            x = torch.arange(changed.shape[1], device=field.device) * pitch + (box.left - self._box.left) + shift[0]
            y = (torch.arange(len(changed), device=field.device) * pitch + (box.top - self._box.top))[:, None] + shift[1]
            x, y = ((place / SPOT).long().clamp_(0, size - 1) for place, size in ((x, width), (y, height)))
            there |= self._someone[y, x]
        changed &= there
        strips = []
        for first in range(0, len(changed), count):
            part = changed[first : first + count]
            rows, columns = part.any(1).nonzero().flatten().tolist(), part.any(0).nonzero().flatten().tolist()
            if rows:
                strips.append(
                    Box(
                        box.left + columns[0] * pitch,
                        box.top + (first + rows[0]) * pitch,
                        min(box.right, box.left + (columns[-1] + 1) * pitch),
                        min(box.bottom, box.top + (first + rows[-1] + 1) * pitch),
                    )
                )
        return strips

    def _draw(self, planes: Planes, places: Tensor, box: Box, part: Box) -> None:
        """A part of the box, whose left and top lie on its cells."""
        height, width = part.height + part.height % 2, part.width + part.width % 2
        rows, columns = height // CELL, width // CELL
        top, left = (part.top - box.top) // CELL, (part.left - box.left) // CELL
        places = places[:, top : top + rows + 2, left : left + columns + 2]
        found = _found(self._colours, places[:, 1:-1, 1:-1] / CELL)[..., None].view(torch.uint8)
        colours = found.permute(2, 0, 1)[:3].to(torch.float32, memory_format=torch.contiguous_format)
        luma = _found(self._y, double(places)[:, CELL : CELL + height, CELL : CELL + width]).float()
        top, left = part.top - self._box.top, part.left - self._box.left
        room = self._room_y[0, top : top + height, left : left + width]
        top, left = top // 2, left // 2
        room_colours = self._room_colours[:, top : top + rows, left : left + columns]
        person = colours[2].mul_(1 / 255)
        luma = torch.lerp(room, luma, double(person[None])[0], out=luma)
        colours = torch.lerp(room_colours, colours[:2], person)
        plane_y, u, v = planes
        plane_y[part.top : part.bottom, part.left : part.right] = _codes(luma)[: part.height, : part.width]
        place = slice(part.top // 2, -(-part.bottom // 2)), slice(part.left // 2, -(-part.right // 2))
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


def _reached(person: Tensor) -> Tensor:
    """(h, w), by spots of ``SPOT`` px, of a mask (1, H, W) of half the size: where there is anybody nearer than is looked from
    place to place, even in a face that is drawn together to half its size."""
    reach = 2 * LOOK * CELL // SPOT
    small = F.max_pool2d(person[None], SPOT // 2, ceil_mode=True)
    return F.max_pool2d(small, 2 * reach + 1, 1, reach)[0, 0] > NOBODY


def _bounds(person: Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, even px, around where anybody is, of a mask of half the size; of all of it, if nobody is."""
    there = person > NOBODY
    rows, columns = there.any(1).nonzero(), there.any(0).nonzero()
    if len(rows) == 0:
        return 0, 0, 2 * person.shape[1], 2 * person.shape[0]
    # With a rim on which there is nobody, unless the picture ends there.
    left, top = max(0, int(columns[0]) - 1), max(0, int(rows[0]) - 1)
    return 2 * left, 2 * top, 2 * min(person.shape[1], int(columns[-1]) + 2), 2 * min(person.shape[0], int(rows[-1]) + 2)


def _enlarged(planes: Tensor, times: int) -> Tensor:
    """By a power of two."""
    while times > 1:
        planes, times = double(planes), times // 2
    return planes


def _found(sheet: Tensor, places: Tensor) -> Tensor:
    """(h, w): what a sheet (H, W) has at places (2, h, w) within it, x and y in its px from its edges."""
    index = torch.add(places[0].to(torch.int32), places[1].to(torch.int32), alpha=sheet.shape[1])
    return sheet.reshape(-1).index_select(0, index.reshape(-1)).view(index.shape)


def _codes(values: Tensor) -> Tensor:
    """Of colours that a picture has; they are changed."""
    # By way of int16, which is faster than straight to uint8; one half more, so that cutting off rounds.
    return values.add_(0.5).to(torch.int16).to(torch.uint8)


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
