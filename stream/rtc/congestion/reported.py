"""Control for receivers that give no transport-wide feedback: their REMB is the bound, and loss is heeded."""

from __future__ import annotations

from stream.limits import MIN_BITRATE, SECOND
from stream.rtc.congestion import Arrivals, Probe
from stream.rtc.congestion.loss import LOW, LossBound


class ReportedRate:
    """A Controller."""

    def __init__(self, start: int, ceiling: int, floor: int = MIN_BITRATE) -> None:
        self._floor, self._ceiling = floor, ceiling
        self._loss = LossBound(floor, ceiling)
        self._loss.bitrate = float(max(floor, min(start, ceiling)))
        self._remb: int | None = None
        self._heard: int | None = None

    @property
    def target(self) -> int:
        target = int(self._loss.bitrate) if self._remb is None else min(int(self._loss.bitrate), self._remb)
        return max(self._floor, min(target, self._ceiling))

    @property
    def open(self) -> bool:
        return True

    def sent(self, number: int, size: int, now: int, cluster: int | None = None) -> None:
        """Nobody reports on it."""

    def feedback(self, arrivals: Arrivals, now: int) -> None:
        """Was not negotiated."""

    def receiver_report(self, fraction_lost: float, round_trip: int | None, now: int) -> None:
        elapsed = SECOND if self._heard is None else now - self._heard
        self._heard = now
        self._loss.share(fraction_lost, elapsed, self.target, round_trip or 0, now)

    def remb(self, bitrate: int, now: int) -> None:
        self._remb = bitrate
        if self._loss.fraction < LOW:
            # The receiver watches the delay itself; only loss speaks against what it says.
            self._loss.learned(bitrate)

    def tick(self, now: int) -> None:
        """Silence ends the peer, not its rate."""

    def probe(self, now: int) -> Probe | None:
        return None
