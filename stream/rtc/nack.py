"""Which RTP packets are missing, and when to ask for them (RFC 4585 section 6.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

from aiortc.rtp import RTCP_RTPFB, RTCP_RTPFB_NACK, pack_rtcp_packet

from stream.limits import NACK_INTERVAL, NACK_PACKETS, NACK_TRIES


class Nack:
    """Asks at once for what was jumped over, and again each round trip."""

    def __init__(self) -> None:
        self._highest: int | None = None
        self._missing: dict[int, tuple[int, int]] = {}
        """Sequence number to (requests made, time of the last)."""
        self.interval = NACK_INTERVAL
        """ns between two requests for one packet."""

    def received(self, sequence: int) -> bool:
        """Takes the unwrapped sequence number of a packet; True if more are missing than it pays to ask for."""
        if self._highest is None or sequence - self._highest == 1:
            self._highest = sequence
        elif sequence > self._highest:
            if sequence - self._highest + len(self._missing) > NACK_PACKETS:
                self._missing.clear()
                self._highest = sequence
                return True
            for number in range(self._highest + 1, sequence):
                self._missing[number] = (0, 0)
            self._highest = sequence
        else:
            self._missing.pop(sequence, None)
        return False

    def forget_before(self, sequence: int | None) -> None:
        """Stops asking for what is of no more use: before this number, or everything."""
        if self._missing:
            self._missing = {} if sequence is None else {n: tries for n, tries in self._missing.items() if n >= sequence}

    def due(self, now: int) -> list[int]:
        """Sequence numbers (unwrapped, ascending) to ask for now; now in ns."""
        if not self._missing:
            return []
        asked: list[int] = []
        for sequence, (tries, last) in list(self._missing.items()):
            if tries == 0 or now - last >= self.interval:
                if tries >= NACK_TRIES:
                    del self._missing[sequence]
                    continue
                self._missing[sequence] = (tries + 1, now)
                asked.append(sequence)
        return asked


def write(sender_ssrc: int, media_ssrc: int, missing: Sequence[int]) -> bytes:
    """An RTCP packet that asks for these, unwrapped and ascending: aiortc's own does not go past the wrap-around."""
    entries: list[tuple[int, int]] = []
    for number in missing:
        if entries and number - entries[-1][0] <= 16:
            first, following = entries[-1]
            entries[-1] = first, following | 1 << (number - first - 1)
        else:
            entries.append((number, 0))
    content = pack("!II", sender_ssrc, media_ssrc) + b"".join(pack("!HH", first & 0xFFFF, bits) for first, bits in entries)
    return pack_rtcp_packet(RTCP_RTPFB, RTCP_RTPFB_NACK, content)
