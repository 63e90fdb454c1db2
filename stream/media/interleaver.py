"""A file's tracks in the order of time: muxers write up to a second of one before they write the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from stream.media.limits import HELD_BYTES, HELD_TIME


@dataclass(frozen=True, slots=True)
class TrackPacket:
    """A picture or a packet of sound, times in ticks of the source's own clock."""

    track: int
    """PICTURES or SOUND."""
    data: bytes
    pts: int
    dts: int
    duration: int
    keyframe: bool


PICTURES, SOUND = 0, 1


class Interleaver:
    """Holds each track's packets until every other track has one too, within HELD_TIME and HELD_BYTES."""

    def __init__(self, tracks: int) -> None:
        self._tracks = tracks
        self._held: dict[int, deque[TrackPacket]] = {}
        self._bytes = 0

    def put(self, packet: TrackPacket) -> Iterator[TrackPacket]:
        """Takes a packet; gives those whose turn it is."""
        self._held.setdefault(packet.track, deque()).append(packet)
        self._bytes += len(packet.data)
        while self._held and (len(self._held) == self._tracks or self._full()):
            yield self._next()

    def flush(self) -> Iterator[TrackPacket]:
        """What is left at the end."""
        while self._held:
            yield self._next()

    def _full(self) -> bool:
        first = min(packets[0].dts for packets in self._held.values())
        last = max(packets[-1].dts for packets in self._held.values())
        return last - first > HELD_TIME or self._bytes > HELD_BYTES

    def _next(self) -> TrackPacket:
        packets = min(self._held.values(), key=lambda packets: packets[0].dts)
        packet = packets.popleft()
        self._bytes -= len(packet.data)
        if not packets:
            del self._held[packet.track]
        return packet
