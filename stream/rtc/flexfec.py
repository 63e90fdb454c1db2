"""Forward error correction: XOR packets that replace a lost one without a round trip.

draft-ietf-payload-flexible-fec-scheme-03, which is what libwebrtc calls flexfec-03: a stream of its own, with an SSRC of
its own, so that receivers that know nothing of it miss nothing, and a lost repair packet leaves no gap in the media.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from struct import Struct, pack

from stream.limits import FEC_HELD, FEC_PACKETS, FEC_WINDOW

NAME = "flexfec-03"
"""Encoding name in SDP."""

_BASE = Struct("!BBHIBxxxIH")
"""Recovery of the RTP header's first octets, length and timestamp; SSRC count; SSRC; SN base."""
_MASKS = ((0, 15, 2), (15, 31, 4), (46, 63, 8))
"""First packet of each part of the mask, packets in it, and its bytes; a set top bit says that no part follows."""
_RTP = 12
"""Bytes of the RTP header that are recovered by other means than the XOR of what follows."""


def write(ssrc: int, packets: Sequence[tuple[int, bytes]]) -> bytes:
    """The payload that repairs any one of these RTP packets of one SSRC: (sequence number, the whole packet), at most
    FEC_PACKETS apart, ascending modulo 2**16.
    """
    base = packets[0][0]
    head = length = body = size = 0
    mask = [0, 0, 0]
    for sequence, packet in packets:
        head ^= int.from_bytes(packet[:2]) << 32 | int.from_bytes(packet[4:8])
        length ^= len(packet) - _RTP
        # Little-endian, so that shorter packets are as if padded with zeros at their ends.
        body ^= int.from_bytes(packet[_RTP:], "little")
        size = max(size, len(packet) - _RTP)
        offset = (sequence - base) & 0xFFFF
        part = next(n for n, (first, count, _) in enumerate(_MASKS) if offset < first + count)
        first, count, _ = _MASKS[part]
        mask[part] |= 1 << (count - 1 - (offset - first))
    parts = 3 if mask[2] else 2 if mask[1] else 1
    written = b"".join(
        (mask[n] | (1 << count if n == parts - 1 else 0)).to_bytes(octets) for n, (_, count, octets) in enumerate(_MASKS[:parts])
    )
    first_octets, timestamp = head >> 32, head & 0xFFFFFFFF
    fixed = _BASE.pack(first_octets >> 8 & 0x3F, first_octets & 0xFF, length & 0xFFFF, timestamp, 1, ssrc, base & 0xFFFF)
    return fixed + written + body.to_bytes(size, "little")


class _Repair:
    """A repair packet, and the media packets that it is made of. Raises ValueError."""

    def __init__(self, payload: bytes, unwrap_near: int) -> None:
        if len(payload) < _BASE.size + 2:
            raise ValueError("FEC packet shorter than its header")
        first, second, length, timestamp, count, ssrc, base = _BASE.unpack_from(payload)
        if first & 0xC0 or count != 1:
            raise ValueError("FEC packet of a kind that is not taken: retransmission, fixed mask or several streams")
        self.ssrc = ssrc
        self.head = (first << 8 | second) << 32 | timestamp
        self.length = length
        base = unwrap_near + ((base - unwrap_near + 0x8000 & 0xFFFF) - 0x8000)
        self.sequences: list[int] = []
        at = _BASE.size
        for start, packets, octets in _MASKS:
            part = int.from_bytes(payload[at : at + octets])
            at += octets
            if at > len(payload):
                raise ValueError("FEC mask truncated")
            self.sequences += [base + start + n for n in range(packets) if part >> (packets - 1 - n) & 1]
            if part >> packets:
                break
        self.body = int.from_bytes(payload[at:], "little")
        self.size = len(payload) - at


class Recovery:
    """Puts lost packets together again. Bounded: FEC_WINDOW packets and FEC_HELD repair packets are kept."""

    def __init__(self) -> None:
        self._packets: dict[int, bytes] = {}
        self._repairs: deque[_Repair] = deque(maxlen=FEC_HELD)
        self._newest: int | None = None
        self.recovered = 0

    def media(self, sequence: int, packet: bytes) -> list[bytes]:
        """Takes a whole RTP packet as it came, its sequence number unwrapped; returns the packets that can be had with it."""
        self._keep(sequence, packet)
        return self._solve() if self._repairs else []

    def repair(self, payload: bytes, ssrc: int) -> list[bytes]:
        """Takes the payload of a repair packet; returns the packets of ``ssrc`` that can be had with it."""
        if self._newest is None:
            return []
        try:
            repair = _Repair(payload, self._newest)
        except ValueError:
            return []
        if repair.ssrc != ssrc or not repair.sequences:
            return []
        self._repairs.append(repair)
        return self._solve()

    def _keep(self, sequence: int, packet: bytes) -> None:
        self._packets[sequence] = packet
        self._newest = sequence if self._newest is None else max(self._newest, sequence)
        while len(self._packets) > FEC_WINDOW:
            del self._packets[next(iter(self._packets))]

    def _solve(self) -> list[bytes]:
        found: list[bytes] = []
        again = True
        while again:
            again = False
            for repair in list(self._repairs):
                missing = [sequence for sequence in repair.sequences if sequence not in self._packets]
                if len(missing) > 1:
                    continue
                self._repairs.remove(repair)
                packet = self._recover(repair, missing[0]) if missing else None
                if packet is not None:
                    self._keep(missing[0], packet)
                    self.recovered += 1
                    found.append(packet)
                    again = True
        return found

    def _recover(self, repair: _Repair, missing: int) -> bytes | None:
        head, length, body = repair.head, repair.length, repair.body
        for sequence in repair.sequences:
            if sequence != missing:
                packet: bytes = self._packets[sequence]
                head ^= int.from_bytes(packet[:2]) << 32 | int.from_bytes(packet[4:8])
                length ^= len(packet) - _RTP
                body ^= int.from_bytes(packet[_RTP:], "little")
        if not 0 <= length <= repair.size:
            return None
        first_octets = head >> 32 & 0x3FFF | 0x8000
        content: int = body & (1 << 8 * length) - 1
        header = pack("!HHII", first_octets, missing & 0xFFFF, head & 0xFFFFFFFF, repair.ssrc)
        return header + content.to_bytes(length, "little")


class Protection:
    """How much of it to send: none on a line that loses nothing, or whose retransmissions come soon enough."""

    FROM, TO = 0.005, 0.002
    """Shares lost, as the receiver reports: from the one on packets are protected, and below the other no more."""
    ROUND_TRIP = 20_000_000
    """ns: on a shorter one a retransmission is there within a frame interval."""
    REDUNDANCY = 6.0
    """Repair packets to media packets, times the share lost: at 2 % one for 8, so that two lost of 9 are rare (1.3 %)."""
    MOST = 0.5
    """Repair packets to media packets."""
    _SMOOTH = 4
    """Receiver reports that the share is taken of; browsers send one a second."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.on = False
        self._packets: list[tuple[int, bytes]] = []

    def reported(self, fraction_lost: float, round_trip: int | None) -> None:
        """Takes what a receiver report says: 0 to 1, and ns."""
        self.loss += (fraction_lost - self.loss) / self._SMOOTH
        far = round_trip is not None and round_trip >= self.ROUND_TRIP
        self.on = far and self.loss >= (self.TO if self.on else self.FROM)
        if not self.on:
            self._packets.clear()

    def sent(self, sequence: int, packet: bytes, last: bool, ssrc: int) -> list[bytes]:
        """Takes a whole packet that was sent; with the last of a picture, returns the payloads of its repair packets."""
        self._packets.append((sequence, packet))
        if not last and len(self._packets) < FEC_PACKETS:
            return []
        packets, self._packets = self._packets, []
        share = min(self.MOST, self.REDUNDANCY * self.loss)
        count = max(1, math.ceil(len(packets) * share))
        # Interleaved, so that of packets lost in a row each is repaired by another.
        return [write(ssrc, packets[group::count]) for group in range(count)]
