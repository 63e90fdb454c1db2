"""A bound by loss, for lines that lose before they delay: draft-ietf-rmcat-gcc-02 section 6."""

from __future__ import annotations

from stream.limits import MILLISECOND, SECOND

LOW, HIGH = 0.02, 0.10
"""Shares of packets lost: below the one the bound rises, above the other it falls, between them nothing is tried."""

HEAVY = 0.25
"""Share beyond which it is the line's queue that overflows: heeded at once, and what arrives is what the line carries."""

GROWTH = 1.08
"""Per second."""

ENOUGH = 20
"""Packets that a share is taken of at least."""

INTERVAL = 500 * MILLISECOND
"""ns that a share is taken over at least."""

REST = 300 * MILLISECOND
"""ns, and a round trip, between two decreases."""


class LossBound:
    """``bitrate`` is what loss allows, b/s; the ceiling until there is any to speak of."""

    def __init__(self, floor: int, ceiling: int) -> None:
        self.bitrate = float(ceiling)
        self.fraction = 0.0
        """Share lost over the last interval."""
        self._floor, self._ceiling = floor, ceiling
        self._lost = 0
        self._reported = 0
        self._since: int | None = None
        self._decreased = -SECOND

    def packets(self, reported: int, lost: int, target: float, throughput: int | None, round_trip: int, now: int) -> None:
        """Counts packets whose fate was reported, ``lost`` of them lost; ``throughput`` is what arrives, b/s, if known."""
        if self._since is None:
            self._since = now
        self._reported += reported
        self._lost += lost
        elapsed = now - self._since
        if self._reported < ENOUGH or (elapsed < INTERVAL and self._lost < HEAVY * self._reported):
            return
        fraction = self._lost / self._reported
        self._lost, self._reported, self._since = 0, 0, now
        if fraction >= HEAVY and throughput is not None:
            target = min(target, throughput)
        self.share(fraction, elapsed, target, round_trip, now)

    def share(self, fraction: float, elapsed: int, target: float, round_trip: int, now: int) -> None:
        """Takes the share lost over ``elapsed`` ns of sending at about ``target`` b/s."""
        self.fraction = fraction
        if fraction < LOW:
            self.bitrate = min(self.bitrate * GROWTH ** min(elapsed / SECOND, 1.0), self._ceiling)
        elif fraction <= HIGH:
            self.bitrate = min(self.bitrate, target)
        elif now - self._decreased >= REST + round_trip:
            self._decreased = now
            self.bitrate = min(self.bitrate, target) * (1 - min(fraction, HEAVY) / 2)
        self.bitrate = max(self.bitrate, self._floor)

    def learned(self, bitrate: int) -> None:
        """A probe came through at so much."""
        self.bitrate = max(self.bitrate, min(bitrate, self._ceiling))
