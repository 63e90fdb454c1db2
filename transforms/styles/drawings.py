"""Every face as a drawing."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from transforms.context import Context
from transforms.faces.blend import paste
from transforms.faces.face import Face
from transforms.faces.sampling import Placement, crop
from transforms.frame import Frame
from transforms.models.runtime import load_torch
from transforms.styles.alignment import SIZE, aligned, within
from transforms.styles.gallery import Gallery
from transforms.styles.mount import Layer, face_mask, head_mask, mount
from transforms.styles.portrait import Portraitist, Sitting
from transforms.styles.studio import Studio

MOST_DRAWN = 3
"""Faces drawn at once beside a stream, those that wait longest: each takes another half second."""

MATTE = 0.5
"""Share of the new one in the matte of a head: its edge must not flicker."""


class Hanging(NamedTuple):
    """How drawings are shown; all but the last in [0, 1]."""

    strength: float
    natural: float
    """Of the face's own colours."""
    softness: float
    """Of the edge, by the width of the square around the head."""
    head: bool
    """The head with its hair, or the face alone."""


class Drawings:
    """Of one stream."""

    def __init__(self, context: Context, style: str) -> None:
        self._faces = context.faces
        self._people = context.network("selfie_segmentation")
        network = load_torch(context.store, f"face_stylizer_{style}", context.device)
        # Another instance of the people's network: this one may be used by another thread.
        self._draw = Portraitist(network, context.network("selfie_segmentation"))
        self._studio: Studio | None = None
        self._gallery = Gallery()
        self._mattes: dict[int, Tensor] = {}
        blank = torch.full((3, SIZE, SIZE), 0.5, device=context.device)
        points = torch.rand((478, 2), generator=torch.Generator().manual_seed(0)).to(context.device) * SIZE
        self._draw([Sitting(-1, blank, points, -math.inf)])

    def process(self, frame: Frame, now: float, hanging: Hanging, *, live: bool) -> None:
        """``live`` has faces drawn beside the stream where that takes long, and shows the newest drawing meanwhile."""
        faces = self._places(frame)
        if live and frame.device.type == "cpu":
            self._draw_beside(frame, faces, now)
        else:
            self._gallery.hang(self._draw(self._sittings(frame, faces, now)), now, fade=False)
        layers: list[Layer | None] = []
        mattes: dict[int, Tensor] = {}
        for face, placement in faces:
            portraits, cover = self._gallery.shown(face.id, now)
            if not portraits or not hanging.strength * cover > 0:
                continue
            points, softness = within(face.landmarks, placement), hanging.softness * SIZE
            if hanging.head:
                mattes[face.id] = self._matte(frame, face, placement)
                mask = head_mask(mattes[face.id], softness)
            else:
                mask = face_mask(points, softness)
            mask = mask * (hanging.strength * cover)
            layers.append(mount(frame, placement, points, portraits, mask, now=now, natural=hanging.natural, head=hanging.head))
        for layer in filter(None, layers):
            paste(frame, *layer)
        self._mattes = mattes
        self._gallery.tidy(now)

    def close(self) -> None:
        if self._studio is not None:
            self._studio.close()

    def _places(self, frame: Frame) -> list[tuple[Face, Placement]]:
        placed = [(face, aligned(face.landmarks)) for face in self._faces.track(frame).faces]
        return [(face, placement) for face, placement in placed if placement is not None]

    def _draw_beside(self, frame: Frame, faces: list[tuple[Face, Placement]], now: float) -> None:
        if self._studio is None:
            self._studio = Studio(self._draw)
        self._gallery.hang(self._studio.collect(), now, fade=True)
        if faces and self._studio.free:
            waiting = sorted(faces, key=lambda each: self._gallery.drawn(each[0].id))
            self._studio.give(self._sittings(frame, waiting[:MOST_DRAWN], now))

    @staticmethod
    def _sittings(frame: Frame, faces: list[tuple[Face, Placement]], now: float) -> list[Sitting]:
        return [
            Sitting(face.id, crop(frame, placement, SIZE), within(face.landmarks, placement), now) for face, placement in faces
        ]

    def _matte(self, frame: Frame, face: Face, placement: Placement) -> Tensor:
        picture = crop(frame, placement, SIZE).permute(1, 2, 0)[None].contiguous()
        matte = self._people(picture)[0].reshape(SIZE, SIZE)
        before = self._mattes.get(face.id)
        return matte if before is None else torch.lerp(before, matte, MATTE)
