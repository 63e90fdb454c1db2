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
    cluster: int | None
    """The probe that it belongs to."""
    reported: bool = False
    """As lost, which a late arrival corrects."""


class SentHistory:
    """Finds a sent packet by its number; each arrives once."""

    def __init__(self) -> None:
        self._packets: list[SentPacket | None] = [None] * HISTORY

    def add(self, packet: SentPacket) -> None:
        self._packets[packet.number % HISTORY] = packet

    def arrived(self, number: int) -> SentPacket | None:
        """Takes a packet out; None where it was never sent, is too old, or was reported as arrived before."""
        packet = self._packets[number % HISTORY]
        if packet is None or packet.number != number:
            return None
        self._packets[number % HISTORY] = None
        return packet

    def lost(self, number: int) -> bool:
        """Whether this packet is reported lost for the first time."""
        packet = self._packets[number % HISTORY]
        if packet is None or packet.number != number or packet.reported:
            return False
        packet.reported = True
        return True
