"""Which places of a picture must stay hidden: where heads are, and where they were a moment ago."""

from __future__ import annotations

import math
from dataclasses import dataclass

from transforms.faces.detector import SAME_OVERLAP
from transforms.faces.face import Tracking
from transforms.faces.head import Head, head_at, head_of

MOST_COVERS = 16
"""Places kept apart. Where there are more, the whole picture is to be hidden: nobody is left out, and cost stays bounded."""

GUESS_HOLD = 0.4
"""Seconds that a detection which no landmarks confirm stays covered: longer than the detector's close-ups need to come
round again. One that was seen for longer is held for longer, up to what a face is."""

GROWTH = 0.5
"""Half widths a second by which the place of a lost head grows, besides the way it was going."""

FARTHEST = 1.0
"""Half widths that a head is given for where it may have gone, at most: what seems to leap is mostly another head."""

CALMING = 0.15
"""Seconds in which the room left for a quick movement goes back to 1/e."""


@dataclass(slots=True, eq=False)
class _Cover:
    head: Head
    id: int | None
    """Of the face; None for a detection that landmarks did not confirm."""
    first: float
    """Seconds of the stream, as everywhere here."""
    seen: float
    speed: float = 0.0
    """px/s"""
    room: float = 0.0
    """px on every side, for movement."""


class Covers:
    """The memory of one stream. Deterministic: time is the frames' own."""

    def __init__(self) -> None:
        self._covers: list[_Cover] = []

    def clear(self) -> None:
        self._covers = []

    def update(self, tracking: Tracking, now: float, hold: float) -> list[Head] | None:
        """What to hide in this frame, or None: everything.

        A head that was seen is hidden with room for where it was and where it is going. One that is lost stays hidden, and
        grows, for ``hold`` seconds.
        """
        rest = list(self._covers)
        covers: list[_Cover] = []
        for face in tracking.faces:
            head = head_of(face.outline)
            known = next((c for c in rest if c.id == face.id), None) or _nearest(head, [c for c in rest if c.id is None])
            covers.append(_seen(known, head, face.id, now))
            rest = [c for c in rest if c is not known]
        for detection in tracking.detections:
            if any(detection.box.overlap(face.box) >= SAME_OVERLAP for face in tracking.faces):
                continue
            head = head_at(detection)
            known = _nearest(head, rest)
            covers.append(_seen(known, head, known.id if known else None, now))
            rest = [c for c in rest if c is not known]
        covers += [c for c in rest if now - c.seen <= (hold if c.id is not None else min(hold, GUESS_HOLD + c.seen - c.first))]
        self._covers = covers[:MOST_COVERS]
        if len(covers) > MOST_COVERS:
            return None
        return [_hidden(cover, now) for cover in covers]


def _nearest(head: Head, covers: list[_Cover]) -> _Cover | None:
    near = min(covers, key=lambda cover: cover.head.distance(head), default=None)
    return near if near is not None and near.head.distance(head) < near.head.across + near.room else None


def _seen(known: _Cover | None, head: Head, face: int | None, now: float) -> _Cover:
    if known is None:
        return _Cover(head, face, now, now)
    if face is None:
        # Guesses flicker to and fro between things that are no faces: that is no movement.
        return _Cover(head, face, known.first, now)
    elapsed, way = now - known.seen, known.head.distance(head)
    speed = (known.speed + way / elapsed) / 2 if elapsed > 0 else known.speed
    room = max(way, known.room * math.exp(-elapsed / CALMING))
    return _Cover(head, face, known.first, now, speed, min(room, FARTHEST * head.across))


def _hidden(cover: _Cover, now: float) -> Head:
    if cover.id is None:
        return cover.head
    lost, across = now - cover.seen, cover.head.across
    return cover.head.grown(min(cover.room + lost * cover.speed, FARTHEST * across) + lost * GROWTH * across)
