"""From RTP packets to whole pictures, in order, each released with its last packet."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stream.limits import ASSEMBLY_PACKETS, LOSS_WAIT


class Assembly(NamedTuple):
    """The payloads of one picture, in order."""

    payloads: list[bytes]
    timestamp: int
    """RTP timestamp, as received."""
    received: int
    """When the packet came that completed it, ns."""


class _Packet(NamedTuple):
    timestamp: int
    marker: bool
    payload: bytes


class Assembler:
    """Releases a picture on the packet with the RTP marker bit (RFC 6184 section 5.1, RFC 7741 section 4.1), not on
    the first packet of the next picture, which would add a frame interval to every frame.

    Order and continuity are those of the sequence numbers: after the last packet of one picture the next one begins.
    A gap holds everything behind it until it is filled, its time is over (``expire``), or a keyframe begins
    behind it that is complete: pictures depend on each other, so what comes after a lost one cannot be shown without.
    """

    def __init__(self, starts_keyframe: Callable[[bytes], bool]) -> None:
        self._starts_keyframe = starts_keyframe
        self._packets: dict[int, _Packet] = {}
        self._first: int | None = None
        """Sequence number that the next picture begins with; None while waiting for a keyframe."""
        self._cursor = 0
        """The first sequence number from there that has not come."""
        self._floor: int | None = None
        """While waiting for a keyframe: what comes before this was shown or given up, and is only late."""
        self._start: int | None = None
        """Where the newest keyframe behind a gap begins."""
        self._highest: int | None = None
        self._gap_since: int | None = None
        self.lost = 0
        """Times that pictures were given up for a missing packet."""
        self.skipped = 0
        """Pictures passed over, by their marker bits, while waiting for a keyframe."""

    @property
    def waiting(self) -> bool:
        """Whether nothing can be shown until a keyframe comes."""
        return self._first is None

    @property
    def needed(self) -> int | None:
        """Packets before this sequence number are of no more use."""
        return self._first

    def push(self, sequence: int, timestamp: int, marker: bool, payload: bytes, now: int) -> list[Assembly]:
        """Takes a packet, its sequence number unwrapped, and returns the pictures that it completes; now in ns."""
        if self._first is not None and sequence < self._cursor:
            if sequence >= self._first or not self._joins_keyframe(timestamp):
                return []
            self._first = self._cursor = sequence
        if sequence in self._packets or (self._floor is not None and sequence < self._floor):
            return []
        self._highest = sequence if self._highest is None else max(self._highest, sequence)
        self._packets[sequence] = _Packet(timestamp, marker, payload)
        if self._first is None:
            if not self._starts_keyframe(payload):
                self.skipped += marker
                self._trim(sequence)
                return []
            self._begin(sequence)
        elif len(self._packets) > ASSEMBLY_PACKETS:
            # A keyframe among them could not be finished either, so it is not looked for.
            self.lost += 1
            self._drop()
            return []
        if sequence > self._cursor and self._starts_keyframe(payload):
            noted = self._packets[self._start] if self._start is not None else None
            self._start = sequence if noted is None or noted.timestamp != timestamp else min(sequence, self._start or sequence)
        done = self._release(now)
        if self._start is not None and self._start < self._cursor:
            self._start = None
        if self._start is not None and self._whole(self._start):
            # Nothing that is still missing is needed for this one.
            self.lost += 1
            self._begin(self._start)
            done += self._release(now)
        return done

    def expire(self, now: int) -> bool:
        """Whether a gap has waited too long, and everything up to the next keyframe was given up."""
        if self._gap_since is None or now - self._gap_since < LOSS_WAIT:
            return False
        self.give_up()
        return True

    def give_up(self) -> None:
        """Drops what was held, and waits for a keyframe, which may already be among it."""
        self.lost += 1
        held = sorted(sequence for sequence in self._packets if sequence >= self._cursor)
        start = next((sequence for sequence in held if self._starts_keyframe(self._packets[sequence].payload)), None)
        if start is not None:
            self._begin(start)
            return
        self._drop()

    def _drop(self) -> None:
        self.skipped += sum(packet.marker for packet in self._packets.values())
        if self._first is not None:
            self._floor = self._cursor
        self._first = self._gap_since = self._start = None
        self._packets.clear()

    def _begin(self, sequence: int) -> None:
        if self._first is not None:
            self._floor = self._cursor
        self._first = self._cursor = sequence
        self._gap_since = self._start = None
        for old in [number for number in self._packets if number < sequence]:
            del self._packets[old]

    def _joins_keyframe(self, timestamp: int) -> bool:
        """Whether a late packet belongs before the keyframe that was just begun: its parameter sets, overtaken."""
        first = self._packets.get(self._first) if self._first is not None else None
        return first is not None and first.timestamp == timestamp

    def _whole(self, start: int) -> bool:
        """Whether a picture is there from the packet before it, which shows that this is its beginning, to its marker."""
        timestamp = self._packets[start].timestamp
        before = self._packets.get(start - 1)
        if before is None or before.timestamp == timestamp:
            return False
        while (packet := self._packets.get(start)) is not None and packet.timestamp == timestamp:
            if packet.marker:
                return True
            start += 1
        return False

    def _release(self, now: int) -> list[Assembly]:
        assert self._first is not None
        packets, done = self._packets, []
        while (packet := packets.get(self._cursor)) is not None:
            if self._cursor == self._first and not packet.payload:
                # Padding, sent to probe the line, stands between pictures.
                del packets[self._cursor]
                self._first = self._cursor = self._cursor + 1
                continue
            if packet.timestamp != packets[self._first].timestamp:
                # A sender that sets no marker.
                done.append(self._take(now))
                continue
            self._cursor += 1
            if packet.marker:
                done.append(self._take(now))
        if self._highest is not None and self._highest >= self._cursor:
            if self._gap_since is None or done:
                self._gap_since = now
        else:
            self._gap_since = None
        return done

    def _take(self, now: int) -> Assembly:
        assert self._first is not None
        taken = [self._packets.pop(sequence) for sequence in range(self._first, self._cursor)]
        self._first = self._cursor
        return Assembly([packet.payload for packet in taken], taken[0].timestamp, now)

    def _trim(self, sequence: int) -> None:
        """While waiting for a keyframe, keeps only what may belong to one whose first packet was overtaken."""
        if len(self._packets) > 64:
            for old in [number for number in self._packets if number < sequence - 32]:
                del self._packets[old]
            if len(self._packets) > 64:
                self._packets.clear()
