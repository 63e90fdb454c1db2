"""A picture on its way through the house: YUV 4:2:0 planes on a device, its time, and its timeline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.color import Color, rgb_to_yuv, yuv_to_rgb

NO_CAMERA = "no_camera"
"""Key among a frame's notes of one that the stream made itself, as its publisher sends sound alone: there is nothing to be seen
in it."""


@dataclass(slots=True)
class Timeline:
    """When a frame passed each stage: nanoseconds of the monotonic clock, 0 where it has not been yet."""

    received: int = 0
    """Its last RTP packet arrived (or the demuxer handed it over)."""
    decoded: int = 0
    taken: int = 0
    """The chain took it out of the newest-wins slot."""
    transformed: int = 0
    encoded: int = 0
    sent: int = 0
    """It was given to the pacer, which on a free line sends at once; what waits there on a slow one is not in it."""


class Box(NamedTuple):
    """A rectangle in pixels: left and top included, right and bottom not."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top

    def on_chroma_grid(self, width: int, height: int) -> Box:
        """Grown to even edges, so that it covers whole chroma samples, and cut to a picture of width x height."""
        return Box(
            max(0, self.left // 2 * 2),
            max(0, self.top // 2 * 2),
            min(width, -(-self.right // 2) * 2),
            min(height, -(-self.bottom // 2) * 2),
        )


class Planes(NamedTuple):
    """uint8 tensors: luma (H, W), and two chroma planes (ceil(H/2), ceil(W/2))."""

    y: Tensor
    u: Tensor
    v: Tensor


class Frame:
    """One picture, 8-bit YUV 4:2:0.

    ``planes`` may be the decoder's own memory, which it still needs as reference: read them freely, and
    write only into what ``writable()`` returns, or hand over new ones with ``replace()``.

    ``source`` is the object that the planes came from (a codec's picture), and None once they were changed:
    who encodes an unchanged frame takes the source and copies nothing.

    ``notes`` is for what one transform found out and another can use (faces): it lives as long as the frame.
    """

    __slots__ = ("_owned", "_planes", "color", "notes", "pts", "source", "time_base", "timeline")

    def __init__(
        self,
        planes: Planes,
        *,
        pts: int = 0,
        time_base: Fraction = Fraction(1, 90_000),
        color: Color = Color(),  # noqa: B008 - frozen
        timeline: Timeline | None = None,
        source: object | None = None,
    ) -> None:
        height, width = planes.y.shape
        chroma = (-(-height // 2), -(-width // 2))
        if tuple(planes.u.shape) != chroma or tuple(planes.v.shape) != chroma:
            raise ValueError(
                f"chroma of a {width}x{height} picture is {chroma[1]}x{chroma[0]}, not {tuple(planes.u.shape)[::-1]}"
            )
        if any(plane.dtype != torch.uint8 for plane in planes):
            raise ValueError("planes are uint8")
        self._planes = planes
        self._owned = False
        self.pts = pts
        self.time_base = time_base
        self.color = color
        self.timeline = timeline or Timeline()
        self.source = source
        self.notes: dict[str, object] = {}

    @property
    def planes(self) -> Planes:
        """The planes, to read."""
        return self._planes

    @property
    def width(self) -> int:
        return int(self._planes.y.shape[1])

    @property
    def height(self) -> int:
        return int(self._planes.y.shape[0])

    @property
    def device(self) -> torch.device:
        return self._planes.y.device

    @property
    def box(self) -> Box:
        return Box(0, 0, self.width, self.height)

    @property
    def changed(self) -> bool:
        """Whether the planes are no longer those of ``source``."""
        return self._owned

    def again(self, pts: int) -> Frame:
        """The same picture for somebody else, or for later: it shares the planes, and nothing that changes."""
        timeline = replace(self.timeline)
        return Frame(self._planes, pts=pts, time_base=self.time_base, color=self.color, timeline=timeline)

    def writable(self) -> Planes:
        """The planes, to write into: copied on the first call, since the decoder still reads its own."""
        if not self._owned:
            self.replace(Planes(*(plane.clone() for plane in self._planes)))
        return self._planes

    def replace(self, planes: Planes) -> None:
        """Takes new planes, of any size; they must not be written to by anybody else afterwards."""
        self._planes = planes
        self._owned = True
        self.source = None

    def to(self, device: torch.device) -> Frame:
        """Moves the planes, once, where the chain computes. ``source`` stays valid until somebody writes."""
        if self.device != device:
            self._planes = Planes(*(plane.to(device, non_blocking=True) for plane in self._planes))
        return self

    def rgb(self, box: Box | None = None) -> Tensor:
        """(3, h, w) RGB float32 in [0, 1] of the box (on the chroma grid), or of everything."""
        box = box or self.box
        y, u, v = self._planes
        return yuv_to_rgb(
            y[box.top : box.bottom, box.left : box.right],
            u[box.top // 2 : -(-box.bottom // 2), box.left // 2 : -(-box.right // 2)],
            v[box.top // 2 : -(-box.bottom // 2), box.left // 2 : -(-box.right // 2)],
            self.color,
        )

    def write_rgb(self, rgb: Tensor, box: Box) -> None:
        """Puts (3, h, w) RGB in [0, 1] into the box, whose edges are on the chroma grid."""
        height, width = box.height + box.height % 2, box.width + box.width % 2
        if (height, width) != tuple(rgb.shape[1:]):
            rgb = torch.nn.functional.pad(rgb[None], (0, width - box.width, 0, height - box.height), mode="replicate")[0]
        new = Planes(*rgb_to_yuv(rgb, self.color))
        y, u, v = self.writable()
        y[box.top : box.bottom, box.left : box.right] = new.y[: box.height, : box.width]
        chroma = (slice(box.top // 2, -(-box.bottom // 2)), slice(box.left // 2, -(-box.right // 2)))
        u[chroma] = new.u
        v[chroma] = new.v

    def fill(self, y: int, u: int = 128, v: int = 128) -> None:
        """Makes the whole picture one colour, given as codes 0-255."""
        self.replace(Planes(*(torch.full_like(plane, code) for plane, code in zip(self._planes, (y, u, v), strict=True))))
