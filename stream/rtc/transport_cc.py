"""Transport-wide congestion control feedback: draft-holmer-rmcat-transport-wide-cc-extensions-01.

It lets the sender's own congestion control decide, from when each packet arrived here. A browser that gets only REMB
starts at 300 kb/s and stays low.
"""

from __future__ import annotations

from struct import pack

from aiortc.rtp import RTCP_RTPFB, pack_rtcp_packet

from stream.limits import FEEDBACK_PACKETS, MILLISECOND
from stream.rtc.rtp import Unwrapper

URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
"""The RTP header extension that carries the transport-wide sequence number, 16 bits."""

FORMAT = 15
"""FMT of the feedback among RTPFB messages."""

_TICK = MILLISECOND // 4
"""ns of a receive delta's unit: 250 us."""

_REFERENCE = 64 * MILLISECOND
"""ns of the reference time's unit."""

_LOST, _SMALL, _LARGE = 0, 1, 2
"""Packet status symbols, section 3.1.1."""


class TransportFeedback:
    """Notes the arrival of each transport-wide sequence number, and writes the feedback for those since the last."""

    def __init__(self) -> None:
        self._unwrap = Unwrapper(16)
        self._arrivals: dict[int, int] = {}
        self._next: int | None = None
        self._count = 0

    def received(self, number: int, now: int) -> None:
        """Takes a packet's transport-wide sequence number, as received, and its arrival in ns."""
        number = self._unwrap(number)
        if self._next is None:
            self._next = number
        if number in self._arrivals or self._next - number > FEEDBACK_PACKETS or len(self._arrivals) >= 2 * FEEDBACK_PACKETS:
            return
        # One that was overtaken, and reported as lost already: reported again, as libwebrtc does.
        self._next = min(self._next, number)
        self._arrivals[number] = now

    def feedback(self, sender_ssrc: int, media_ssrc: int) -> bytes | None:
        """An RTCP packet that reports everything noted since the last, or None when there is nothing."""
        if self._next is None:
            return None
        base, last = self._next, max(self._arrivals)
        if last < base:
            return None
        if last - base >= FEEDBACK_PACKETS:
            base = last - FEEDBACK_PACKETS + 1
        arrivals = sorted((number, when) for number, when in self._arrivals.items() if number >= base)
        reference = arrivals[0][1] // _REFERENCE
        previous = reference * _REFERENCE // _TICK
        symbols, deltas = [_LOST] * (last - base + 1), bytearray()
        for number, when in arrivals:
            delta = when // _TICK - previous
            if not -0x8000 <= delta <= 0x7FFF:
                # Longer than a delta can say: this packet starts the next feedback.
                last = number - 1
                del symbols[number - base :]
                break
            previous += delta
            if 0 <= delta <= 0xFF:
                symbols[number - base] = _SMALL
                deltas.append(delta)
            else:
                symbols[number - base] = _LARGE
                deltas += pack("!h", delta)
        # What was reported is kept for a while: when an overtaken one moves the base back, it must not be called lost.
        self._arrivals = {number: when for number, when in self._arrivals.items() if number > last - FEEDBACK_PACKETS}
        self._next = last + 1
        content = (
            pack("!IIHH", sender_ssrc, media_ssrc, base & 0xFFFF, len(symbols))
            + pack("!I", ((reference & 0xFFFFFF) << 8) | (self._count & 0xFF))
            + _chunks(symbols)
            + bytes(deltas)
        )
        self._count += 1
        # RTCP padding would do, but zeros after the last delta are read by nobody: the status count ends the list.
        return pack_rtcp_packet(RTCP_RTPFB, FORMAT, content.ljust(-(-len(content) // 4) * 4, b"\0"))


def _chunks(symbols: list[int]) -> bytes:
    """Run-length chunks (section 3.1.3) where they pay, two-bit status vectors (section 3.1.4) elsewhere."""
    chunks = bytearray()
    position = 0
    while position < len(symbols):
        symbol = symbols[position]
        run = position
        while run < len(symbols) and symbols[run] == symbol and run - position < 0x1FFF:
            run += 1
        if run - position >= 7 or run == len(symbols):
            chunks += pack("!H", (symbol << 13) | (run - position))
            position = run
            continue
        vector = 0
        for index, value in enumerate(symbols[position : position + 7]):
            vector |= value << (12 - 2 * index)
        chunks += pack("!H", 0xC000 | vector)
        position += 7
    return bytes(chunks)
