"""The drawings that a stream shows: of each face the newest, faded in over the one before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from transforms.styles.portrait import Portrait

CHANGE = 0.2
"""Seconds from one drawing to the next."""

KEPT = 3.0
"""Seconds for which the drawing of a face that is out of sight is kept: it comes back as it was."""


@dataclass(slots=True, eq=False)
class _Place:
    newest: Portrait
    older: Portrait | None
    since: float
    """When the newest was hung, s."""
    seen: float


class Gallery:
    """One stream's. All times are the frames', in s."""

    def __init__(self) -> None:
        self._places: dict[int, _Place] = {}

    def hang(self, portraits: Iterable[Portrait], now: float, *, fade: bool) -> None:
        """Takes new drawings; without ``fade`` they show at once."""
        for portrait in portraits:
            place = self._places.get(portrait.sitting.face)
            older = place.newest if place and fade else None
            # The first drawing of a face fades in over the face itself.
            since = now if fade else -math.inf
            self._places[portrait.sitting.face] = _Place(portrait, older, since, now)

    def drawn(self, face: int) -> float:
        """When a face sat for its newest drawing, s; minus infinity where there is none."""
        place = self._places.get(face)
        return place.newest.sitting.time if place else -math.inf

    def shown(self, face: int, now: float) -> tuple[list[tuple[Portrait, float]], float]:
        """Drawings of a face with weights that add up to 1, and how much of the face they cover, 0 to 1."""
        place = self._places.get(face)
        if place is None:
            return [], 0.0
        place.seen = now
        share = min(1.0, max(0.0, (now - place.since) / CHANGE)) if now >= place.since else 1.0
        if share == 1.0:
            place.older = None
        if place.older is None:
            return [(place.newest, 1.0)], share
        return [(place.older, 1 - share), (place.newest, share)], 1.0

    def tidy(self, now: float) -> None:
        """Forgets the faces that were not asked for of late, or that are from another time."""
        self._places = {face: place for face, place in self._places.items() if abs(now - place.seen) <= KEPT}
