"""Which size and frame rate a bitrate is enough for: a smaller picture looks better than a large one of blocks."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from stream.limits import MILLISECOND, SECOND

ENOUGH = Fraction(350_000, 1280 * 720)
"""b/s per pixel of a picture at full frame rate, under which x264 shows blocks on a talking face: 350 kb/s at 720p."""

MARGIN = Fraction(7, 5)
"""Times as much for the way up, so that a rate that swings does not change the size with it."""

DOWN_AFTER = 500 * MILLISECOND
"""ns that the rate has to be too low: each change of size costs a keyframe."""

UP_AFTER = 3 * SECOND
"""ns that the rate has to be high enough again."""

LEAST_PIXELS = 320 * 180
"""No picture is made smaller than this."""


class Rung(NamedTuple):
    scale: Fraction
    """Of width and height."""
    every: int
    """One frame in so many is encoded."""


LADDER = (
    Rung(Fraction(1), 1),
    Rung(Fraction(3, 4), 1),
    Rung(Fraction(1, 2), 1),
    Rung(Fraction(1, 2), 2),
    Rung(Fraction(1, 4), 2),
)
"""From best to least; each takes about half of the one before."""


class Ladder:
    """One stream's place on the LADDER: down as far as the rate asks for, and up again a rung at a time."""

    def __init__(self) -> None:
        self._place = 0
        self._wanted_since: tuple[int, int] | None = None
        """Direction, and since when."""

    def update(self, bitrate: int, pixels: int, now: int) -> Rung:
        """The rung for frames of so many pixels at ``bitrate`` b/s; now in ns."""
        places = [place for place, rung in enumerate(LADDER) if not place or pixels * rung.scale**2 >= LEAST_PIXELS]
        self._place = min(self._place, places[-1])
        if self._place < places[-1] and bitrate < _needed(self._place, pixels):
            direction, patience = 1, DOWN_AFTER
        elif self._place and bitrate >= MARGIN * _needed(self._place - 1, pixels):
            direction, patience = -1, UP_AFTER
        else:
            self._wanted_since = None
            return LADDER[self._place]
        if self._wanted_since is None or self._wanted_since[0] != direction:
            self._wanted_since = direction, now
        elif now - self._wanted_since[1] >= patience:
            self._wanted_since = None
            self._place += direction
            # On a line that broke down not every rung is tried on the way, each with its keyframe.
            while direction > 0 and self._place < places[-1] and bitrate < _needed(self._place, pixels):
                self._place += 1
        return LADDER[self._place]


def _needed(place: int, pixels: int) -> Fraction:
    """b/s."""
    rung = LADDER[place]
    return ENOUGH * pixels * rung.scale**2 / rung.every
