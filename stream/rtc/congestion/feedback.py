"""Reading transport-wide feedback: draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1."""

from __future__ import annotations

from struct import unpack_from

from aiortc.rtp import RTCP_RTPFB

from stream.limits import MILLISECOND
from stream.rtc.rtp import Unwrapper
from stream.rtc.transport_cc import FORMAT

_TICK = MILLISECOND // 4
"""ns of a receive delta's unit."""

_REFERENCE = 64 * MILLISECOND
"""ns of the reference time's unit."""

_HEADER = 20
"""Bytes before the status chunks, RTCP header included."""

MAX_STATUSES = 8192
"""Packets told of in one feedback: two bytes can claim so many lost ones, and no sender has more under way."""


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Parts a compound RTCP packet (RFC 3550 section 6.1) into its transport-wide feedbacks, and all the rest.

    What is not well formed stays in the rest.
    """
    feedbacks: list[bytes] = []
    rest = bytearray()
    position = 0
    while position + 4 <= len(data):
        end = position + 4 * (int.from_bytes(data[position + 2 : position + 4]) + 1)
        if end <= len(data) and data[position + 1] == RTCP_RTPFB and data[position] & 0xDF == 0x80 | FORMAT:
            feedbacks.append(data[position:end])
        else:
            rest += data[position:end]
        position = end
    return feedbacks, bytes(rest)


class FeedbackReader:
    """Reads one peer's feedbacks, whose time goes on past the wrap-around of its 24 bits."""

    def __init__(self) -> None:
        self._reference = Unwrapper(24)

    def read(self, packet: bytes) -> list[tuple[int, int | None]]:
        """16-bit number and arrival (ns of the peer's clock; None: lost), in the order of the numbers. Raises ValueError."""
        if len(packet) < _HEADER:
            raise ValueError("transport-wide feedback shorter than its header")
        base, count = unpack_from("!HH", packet, 12)
        if count > MAX_STATUSES:
            raise ValueError(f"transport-wide feedback of {count} packets")
        symbols, position = _symbols(packet, count)
        when = self._reference(int.from_bytes(packet[16:19])) * _REFERENCE
        arrivals: list[tuple[int, int | None]] = []
        for index, symbol in enumerate(symbols):
            arrived: int | None = None
            if symbol:
                # Symbol 1 is an unsigned delta of one byte, 2 a signed one of two; 3 is reserved.
                end = position + symbol
                if symbol == 3 or end > len(packet):
                    raise ValueError("transport-wide feedback truncated")
                when += int.from_bytes(packet[position:end], signed=symbol == 2) * _TICK
                position, arrived = end, when
            arrivals.append(((base + index) & 0xFFFF, arrived))
        return arrivals


def _symbols(packet: bytes, count: int) -> tuple[list[int], int]:
    """The status of each packet, and where the deltas begin."""
    symbols: list[int] = []
    position = _HEADER
    while len(symbols) < count:
        if position + 2 > len(packet):
            raise ValueError("transport-wide feedback truncated")
        chunk = packet[position] << 8 | packet[position + 1]
        position += 2
        if chunk < 0x8000:
            symbols += [chunk >> 13] * min(chunk & 0x1FFF, count - len(symbols))
            if not chunk & 0x1FFF:
                raise ValueError("transport-wide feedback with a run of no length")
        elif chunk < 0xC000:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
        else:
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
    return symbols[:count], position
