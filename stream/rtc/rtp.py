"""RTP packets (RFC 3550 section 5.1) as bytes, and their sequence numbers without wrap-around."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

_HEADER = Struct("!BBHII")
_EXTENSION = Struct("!HH")
_ONE_BYTE_PROFILE = 0xBEDE


class RtpPacket(NamedTuple):
    """A received packet. ``payload`` is without padding; ``extension`` is the raw one-byte-header block (RFC 8285), or empty."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    extension: bytes


def is_rtcp(data: bytes) -> bool:
    """RFC 5761 section 4: RTCP packet types are 192-223, which no RTP payload type with marker takes."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def parse(data: bytes) -> RtpPacket:
    """Raises ValueError on what is no RTP."""
    if len(data) < 12:
        raise ValueError("RTP packet shorter than its header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise ValueError("RTP version is not 2")
    start = 12 + 4 * (first & 0x0F)
    end = len(data)
    extension = b""
    if first & 0x10:
        if end < start + 4:
            raise ValueError("RTP header extension truncated")
        profile, words = _EXTENSION.unpack_from(data, start)
        start += 4
        if profile == _ONE_BYTE_PROFILE:
            extension = data[start : start + 4 * words]
        start += 4 * words
    if first & 0x20:
        end -= data[-1]
        if data[-1] == 0:
            raise ValueError("RTP padding of no length")
    if end < start:
        raise ValueError("RTP packet truncated")
    return RtpPacket(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, data[start:end], extension)


def extension_value(extension: bytes, identifier: int) -> bytes | None:
    """The value of one element of a one-byte-header block, RFC 8285 section 4.2."""
    position, end = 0, len(extension)
    while position < end:
        byte = extension[position]
        if byte == 0:
            position += 1
            continue
        length = (byte & 0x0F) + 1
        if byte >> 4 == identifier:
            value = extension[position + 1 : position + 1 + length]
            return value if len(value) == length else None
        if byte >> 4 == 15:
            return None
        position += 1 + length
    return None


def header(payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, extension: bytes = b"") -> bytes:
    """A header to put before a payload; ``extension`` holds one-byte-header elements, padded here."""
    second = payload_type | (0x80 if marker else 0)
    if not extension:
        return _HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    words = -(-len(extension) // 4)
    return (
        _HEADER.pack(0x90, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        + _EXTENSION.pack(_ONE_BYTE_PROFILE, words)
        + extension.ljust(4 * words, b"\0")
    )


class Unwrapper:
    """Makes a counter that wraps at ``bits`` bits monotonic: each value is the one nearest to the last."""

    def __init__(self, bits: int) -> None:
        self._modulus = 1 << bits
        self._last: int | None = None

    def __call__(self, value: int) -> int:
        if self._last is None:
            self._last = value
            return value
        half = self._modulus >> 1
        step = (value - self._last + half) % self._modulus - half
        unwrapped = self._last + step
        if step > 0:
            self._last = unwrapped
        return unwrapped
