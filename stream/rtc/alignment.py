"""A peer's sound and pictures on one clock: RTP gives each its own, with an offset of its own (RFC 3550 section 5.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median_low

from aiortc.rtp import RtcpSenderInfo

from stream.limits import SECOND
from stream.sound.packet import CLOCK_RATE

Mapping = tuple[int, int]
"""What a sender report says: an NTP time (64 bits, 32 of them below the second), and the pts of the same moment."""

TOLERANCE = CLOCK_RATE // 100
"""48 kHz: sound that is off by less stays as it is, so that nobody hears it being moved; more than 20 ms can be seen."""

PLAUSIBLE = CLOCK_RATE
"""48 kHz: sender reports that are this far from what arrival says are not believed: some peers' are of two clocks, or made up."""

REPORTS = 5
"""Pairs of reports whose median counts: a busy sender's may be wrong by as long as it was held between two lines of its code."""

ARRIVAL_WINDOW = 2 * SECOND
"""ns over which the fastest packet tells when the others were to arrive: some keyframes and any burst of a busy sender."""

_PICTURE_RATE = 90_000


def at_report(report: RtcpSenderInfo, timestamp: int, pts: int) -> Mapping | None:
    """What a sender report says, given the RTP timestamp and the pts of a packet near it; None where it says nothing.

    A sender without a clock reports a time of 0 (RFC 3550 section 6.4.1).
    """
    if not report.ntp_timestamp:
        return None
    step = (report.rtp_timestamp - timestamp + 0x8000_0000) % 0x1_0000_0000 - 0x8000_0000
    return report.ntp_timestamp, pts + step


class _Arrival:
    """When packets of a pts arrive on an undisturbed line, from those that took the least time of late."""

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._began = 0
        self._before: int | None = None
        self._current: int | None = None

    def add(self, pts: int, received: int) -> None:
        transit = received - pts * SECOND // self._clock_rate
        if self._current is None or received - self._began >= ARRIVAL_WINDOW:
            self._began, self._before, self._current = received, self._current, transit
        self._current = min(self._current, transit)

    @property
    def transit(self) -> int | None:
        """ns between a pts and its arrival."""
        if self._current is None or self._before is None:
            return self._current
        return min(self._current, self._before)


class Alignment:
    """Puts one peer's sound on its pictures' clock. Lives on the event loop.

    What comes first sets the clock, so that a peer may send sound alone, and pictures later. Until both have sender reports it
    goes by arrival; then exactly by NTP. Sound is moved only when it is off by more than TOLERANCE.
    """

    def __init__(
        self,
        pictures: Callable[[], Mapping | None] = lambda: None,
        sound: Callable[[], Mapping | None] = lambda: None,
    ) -> None:
        """``pictures`` and ``sound`` return what their receivers' last sender reports say, on the receivers' own clocks."""
        self._picture_mapping = pictures
        self._sound_mapping = sound
        self._pictures = _Arrival(_PICTURE_RATE)
        self._sound = _Arrival(CLOCK_RATE)
        self._picture_offset: int | None = None
        """90 kHz."""
        self._sound_offset: int | None = None
        self._pair: tuple[Mapping, Mapping] | None = None
        """The reports that were looked at last."""
        self._exact: deque[int] = deque(maxlen=REPORTS)
        """What they say is to be added to the sound's pts."""
        self._newest: int | None = None
        self._floor: int | None = None
        """Sound up to this pts was handed on before the last move."""
        self.moved = 0
        """Times that the sound was moved after it had begun."""

    def picture(self, pts: int, received: int) -> int:
        """The pts of a picture, 90 kHz, on the common clock: the same plus a constant."""
        if self._picture_offset is None:
            transit = self._sound.transit
            begins = 0 if transit is None else (received - transit) * _PICTURE_RATE // SECOND - pts
            if transit is not None and self._sound_offset is not None:
                begins += self._sound_offset * _PICTURE_RATE // CLOCK_RATE
            self._picture_offset = begins
        pts += self._picture_offset
        self._pictures.add(pts, received)
        return pts

    def sound(self, pts: int, received: int) -> int | None:
        """The pts of a sound packet, 48 kHz, on the common clock. Rises as those that it is given.

        None where, after the sound was moved back, its place has been taken: the packet is to be left out.
        """
        self._sound.add(pts, received)
        wanted = self._offset()
        if self._sound_offset is None:
            self._sound_offset = wanted
        elif abs(wanted - self._sound_offset) > TOLERANCE:
            self._sound_offset, self._floor = wanted, self._newest
            self.moved += 1
        aligned = pts + self._sound_offset
        if self._floor is not None and aligned <= self._floor:
            return None
        self._newest = aligned if self._newest is None else max(self._newest, aligned)
        return aligned

    def _offset(self) -> int:
        """What to add to the sound's pts."""
        pictures, sound = self._pictures.transit, self._sound.transit
        if pictures is None or sound is None or self._picture_offset is None:
            return self._sound_offset or 0
        arrival = (sound - pictures) * CLOCK_RATE // SECOND
        shown, heard = self._picture_mapping(), self._sound_mapping()
        if shown is None or heard is None:
            self._exact.clear()
            return arrival
        if self._pair != (shown, heard):
            self._pair = shown, heard
            # NTP's 64 bits wrap in 2036.
            apart = (heard[0] - shown[0] + (1 << 63)) % (1 << 64) - (1 << 63)
            self._exact.append((shown[1] + self._picture_offset) * 8 // 15 + (apart * CLOCK_RATE >> 32) - heard[1])
        exact = median_low(self._exact)
        return exact if abs(exact - arrival) <= PLAUSIBLE else arrival
