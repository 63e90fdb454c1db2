"""What was sent and not reported yet."""

from __future__ import annotations

from dataclasses import dataclass

HISTORY = 4096
"""Packets, a power of two: 2 s at 20 Mb/s, longer than any feedback takes."""


@dataclass(slots=True)
class SentPacket:
    number: int
    """Transport-wide, 16 bits."""
    size: int
    """Bytes."""
    sent: int
    """ns."""
    total: int
    """Bytes sent up to and with it."""
    cluster: int | None
    """The probe that it belongs to."""
    reported: bool = False
    """As lost, which a late arrival corrects."""


class SentHistory:
    """Finds a sent packet by its number; each arrives once."""

    def __init__(self) -> None:
        self._packets: list[SentPacket | None] = [None] * HISTORY
        self._total = 0
        self._reported = 0

    def add(self, number: int, size: int, now: int, cluster: int | None) -> None:
        self._total += size
        self._packets[number % HISTORY] = SentPacket(number, size, now, self._total, cluster)

    @property
    def under_way(self) -> int:
        """Bytes sent after the last packet that was reported, as arrived or lost."""
        return self._total - self._reported

    def before(self, number: int) -> int:
        """Bytes sent after the last packet that was reported, and before this one."""
        packet = self._packets[number % HISTORY]
        if packet is None or packet.number != number:
            return 0
        return max(0, packet.total - packet.size - self._reported)

    def forget_under_way(self) -> None:
        self._reported = self._total

    def arrived(self, number: int) -> SentPacket | None:
        """Takes a packet out; None where it was never sent, is too old, or was reported as arrived before."""
        packet = self._packets[number % HISTORY]
        if packet is None or packet.number != number:
            return None
        self._packets[number % HISTORY] = None
        self._reported = max(self._reported, packet.total)
        return packet

    def lost(self, number: int) -> bool:
        """Whether this packet is reported lost for the first time."""
        packet = self._packets[number % HISTORY]
        if packet is None or packet.number != number or packet.reported:
            return False
        packet.reported = True
        self._reported = max(self._reported, packet.total)
        return True
