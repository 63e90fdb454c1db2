"""When a stream's time is, by what arrives."""

from __future__ import annotations

from stream.limits import MILLISECOND, SECOND
from stream.sound.packet import CLOCK_RATE, SoundPacket

JUMP = 250 * MILLISECOND
"""ns by which arrivals have to be elsewhere in time than they were, to be followed at once; less is the line's jitter."""

CALM = 32
"""Arrivals over which that is averaged: a second of pictures."""

PICTURES = SECOND
"""ns after a picture in which sound is not asked: one of the two comes earlier, and the average would go back and forth."""


class Arrivals:
    """Written on the event loop; ``zero`` may be read by any thread."""

    def __init__(self) -> None:
        self.zero: int | None = None
        """When the time of what arrives was 0, monotonic ns; None before the first."""
        self.newest: int | None = None
        """When the last one came, monotonic ns."""
        self._pictured: int | None = None

    def begin(self) -> None:
        """Another publisher."""
        self.zero = self.newest = self._pictured = None

    def picture(self, pts: int, received: int) -> None:
        """A picture (90 kHz) was received then, monotonic ns."""
        self._pictured = received
        self._came(received - pts * SECOND // 90_000, received)

    def sound(self, packet: SoundPacket) -> None:
        """Likewise of sound."""
        if self._pictured is None or packet.received - self._pictured >= PICTURES:
            self._came(packet.received - packet.pts * SECOND // CLOCK_RATE, packet.received)

    def _came(self, zero: int, received: int) -> None:
        before = self.zero
        if before is None or abs(zero - before) > JUMP:
            before = zero
        self.newest, self.zero = received, before + (zero - before) // CALM
