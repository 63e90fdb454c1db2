"""Which places of a picture must stay hidden: where heads are, and where they were a moment ago."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transforms.faces.detector import CLOSE_UP, SAME_OVERLAP, SURE_SCORE, close_ups
from transforms.faces.face import Detection, Tracking
from transforms.faces.head import Head, head_at, head_of
from transforms.frame import Box

MOST_COVERS = 16
"""Places kept apart. Where there are more, the whole picture is to be hidden: nobody is left out, and cost stays bounded."""

GUESS_HOLD = 0.8
"""Seconds that a detection which no landmarks confirm stays covered: longer than the detector's close-ups need to come
round again. One that was seen for longer is held for longer, up to what a face is."""

GROWTH = 0.5
"""Half widths a second by which the place of a lost head grows, besides the way it was going."""

FARTHEST = 1.0
"""Half widths that a head is given for where it may have gone, at most: what seems to leap is mostly another head."""

CALMING = 0.15
"""Seconds in which the room left for a quick movement goes back to 1/e."""

ALARM = 0.45
"""Score from which the detector still sees a face in what was hidden: below 0.5, since a codec comes between us and others."""

LARGEST_DOUBT = 0.5
"""Share of the picture's shorter side above which a doubtful detection is none: so large a face is recognised with ease, while
the detector often half believes in whole landscapes."""

CALM = 0.1
"""Half widths that a head may have moved between two looks for it, up to which the next frame need not look for it again."""

COASTING = 0.045
"""Seconds for which calm heads may be taken to go on as they did: every other frame from 24 to 30 a second. A head that starts
with all its might (50 half widths/s^2) is then 0.05 half widths beside that, a third of the least margin."""

TREMBLE = 0.01
"""Half widths, and radians, that a head has to move before what hides it does: less is the networks' noise."""

MOST_EFFORT = 2
"""Steps by which a place can be hidden better than was asked for."""

SMALL = 0.4
"""Width of a head, by the picture's shorter side, below which its cover is looked at more closely."""

PATIENCE, MOST_PATIENCE = 3.0, 48.0
"""Seconds without alarm after which one step less is tried, doubled whenever that was too early."""


@dataclass(slots=True, eq=False)
class Cover:
    """A place that is hidden; time is in seconds of the stream."""

    head: Head
    id: int | None
    """Of the face; None for a detection that landmarks did not confirm."""
    first: float
    seen: float
    speed: float = 0.0
    """px/s"""
    velocity: tuple[float, float] = (0.0, 0.0)
    """px/s, as last measured."""
    ahead: Head | None = None
    """Where it is taken to be in a frame in which nobody looked for it."""
    drawn: Head | None = None
    """What was hidden for it last."""
    room: float = 0.0
    """px on every side, for movement."""
    effort: int = 0
    """Steps by which it is hidden better, as the detector still saw a face."""
    patience: float = PATIENCE
    alarmed: float = 0.0

    def area(self, now: float) -> Head:
        """What to hide at a time: with room for where the head was and where it is going, and more the longer it is lost."""
        if self.id is None:
            return self.head
        if self.ahead is not None:
            return self.ahead.grown(min(self.room, FARTHEST * self.ahead.across))
        lost, across = now - self.seen, self.head.across
        return self.head.grown(min(self.room + lost * self.speed, FARTHEST * across) + lost * GROWTH * across)

    def outline(self, now: float) -> Head:
        """``area`` to be drawn: it stays where it was as long as it only trembles, and so do its blocks."""
        area = self.area(now)
        if self.drawn is None or not area.close_to(self.drawn, TREMBLE):
            self.drawn = area
        return self.drawn

    def coast(self, now: float) -> None:
        """Goes on as it did, where it was seen just before."""
        x, y = (speed * (now - self.seen) for speed in self.velocity)
        self.ahead = replace(self.head, x=self.head.x + x, y=self.head.y + y)

    def move(self, head: Head, face: int | None, now: float) -> None:
        """The head was seen again. Guesses flicker to and fro between things that are no faces: that is no movement."""
        if face is not None:
            elapsed, way = now - self.seen, self.head.distance(head)
            self.speed = (self.speed + way / elapsed) / 2 if elapsed > 0 else self.speed
            if elapsed > 0:
                self.velocity = (head.x - self.head.x) / elapsed, (head.y - self.head.y) / elapsed
            self.room = min(max(way, self.room * math.exp(-elapsed / CALMING)), FARTHEST * head.across)
        self.head, self.id, self.seen = head, face, now

    def expired(self, now: float, hold: float) -> bool:
        return now - self.seen > (hold if self.id is not None else min(hold, GUESS_HOLD + self.seen - self.first))

    def alarm(self, now: float) -> None:
        """A face was still seen here, though hidden."""
        if self.effort == 0 and self.alarmed:
            self.patience = min(self.patience * 2, MOST_PATIENCE)
        self.effort, self.alarmed = min(self.effort + 1, MOST_EFFORT), now

    def relax(self, now: float) -> None:
        if self.effort and now - self.alarmed > self.patience:
            self.effort, self.alarmed = self.effort - 1, now


class Covers:
    """The memory of one stream. Deterministic: time is the frames' own."""

    def __init__(self) -> None:
        self._covers: list[Cover] = []
        self._inspected = 0
        self._updated = -math.inf

    def clear(self) -> None:
        self._covers = []
        self._updated = -math.inf

    def calm(self, now: float) -> bool:
        """Whether faces were seen a moment ago, all that are followed, and have hardly moved: then ``coast`` may do."""
        faces = [cover for cover in self._covers if cover.id is not None]
        return (
            bool(faces)
            and 0 < now - self._updated <= COASTING
            and all(cover.seen == self._updated and cover.room <= CALM * cover.head.across for cover in faces)
        )

    def coast(self, now: float) -> list[Cover]:
        """What to hide in a frame in which faces were not looked for: while it is calm, as it was, moved on."""
        for cover in self._covers:
            if cover.id is not None:
                cover.coast(now)
        return self._covers

    def update(self, tracking: Tracking, now: float, hold: float) -> list[Cover]:
        """What to hide in this frame: the heads that are there, and for ``hold`` seconds those that were lost."""
        rest = list(self._covers)
        covers: list[Cover] = []
        self._updated = now
        for cover in rest:
            cover.ahead = None
        ids = {face.id for face in tracking.faces}
        for face in tracking.faces:
            head = head_of(face.outline)
            known = next((c for c in rest if c.id == face.id), None) or _nearest(head, [c for c in rest if c.id not in ids])
            covers.append(_moved(known, head, face.id, now))
            rest = [c for c in rest if c is not known]
        for detection in tracking.detections:
            followed = any(detection.box.overlap(face.box) >= SAME_OVERLAP for face in tracking.faces)
            if followed or not _worth_hiding(detection, tracking.size):
                continue
            head = head_at(detection)
            known = _nearest(head, rest)
            covers.append(_moved(known, head, known.id if known else None, now))
            rest = [c for c in rest if c is not known]
        self._covers = covers + [c for c in rest if not c.expired(now, hold)]
        for cover in self._covers:
            cover.relax(now)
        return self._bounded()

    def check(self, detections: Sequence[Detection], size: tuple[int, int], now: float) -> list[Cover]:
        """What to hide more, or as well, given what the detector sees in the picture after all covers were drawn."""
        changed: list[Cover] = []
        for detection in detections:
            over = [cover for cover in self._covers if cover.area(now).contains(*detection.box.centre)]
            if not over and _worth_hiding(detection, size):
                changed.append(Cover(head_at(detection), None, now, now))
                self._covers.append(changed[-1])
            elif over and detection.score >= ALARM:
                for cover in over:
                    cover.alarm(now)
                changed += over
        self._bounded()
        return changed

    def inspect(self, size: tuple[int, int]) -> list[Box]:
        """Where to look closer at the picture after all covers were drawn: in turn at a part of it, as somebody small may
        have come in, and at one of the small covers, as the detector's picture of the whole shows too little of them."""
        self._inspected += 1
        number = self._inspected // 2
        if self._inspected % 2:
            areas = close_ups(*size, CLOSE_UP)
            return [areas[number % len(areas)]]
        small = [cover for cover in self._covers if 2 * cover.head.across < SMALL * min(size)]
        return [close_up(small[number % len(small)].head, size)] if small else []

    @property
    def overflowing(self) -> bool:
        """Whether there were more places than can be kept apart: then everything is to be hidden."""
        return len(self._covers) >= MOST_COVERS

    def _bounded(self) -> list[Cover]:
        self._covers = self._covers[:MOST_COVERS]
        return self._covers


def close_up(head: Head, size: tuple[int, int]) -> Box:
    """A square of the picture with the head in its middle, as far as it goes."""
    width, height = size
    side = min(width, height, max(2, round(CLOSE_UP * min(size))))
    left = max(0, min(width - side, round(head.x - side / 2)))
    top = max(0, min(height - side, round(head.y - side / 2)))
    return Box(left, top, left + side, top + side).on_chroma_grid(width, height)


def _worth_hiding(detection: Detection, size: tuple[int, int]) -> bool:
    return detection.score >= SURE_SCORE or detection.box.side <= LARGEST_DOUBT * min(size)


def _nearest(head: Head, covers: list[Cover]) -> Cover | None:
    near = min(covers, key=lambda cover: cover.head.distance(head), default=None)
    return near if near is not None and near.head.distance(head) < near.head.across + near.room else None


def _moved(known: Cover | None, head: Head, face: int | None, now: float) -> Cover:
    if known is None:
        return Cover(head, face, now, now)
    known.move(head, face, now)
    return known
