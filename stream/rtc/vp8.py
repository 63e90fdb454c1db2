"""VP8 in RTP: RFC 7741."""

from __future__ import annotations

from collections.abc import Sequence


def _descriptor_length(payload: bytes) -> int:
    """Bytes of the payload descriptor, section 4.2. Raises ValueError where it is truncated."""
    try:
        length = 1
        if payload[0] & 0x80:
            extensions = payload[1]
            length = 2
            if extensions & 0x80:
                length += 2 if payload[length] & 0x80 else 1
            if extensions & 0x40:
                length += 1
            if extensions & 0x30:
                length += 1
    except IndexError:
        raise ValueError("VP8 payload descriptor truncated") from None
    if length > len(payload):
        raise ValueError("VP8 payload descriptor truncated")
    return length


def starts_keyframe(payload: bytes) -> bool:
    """The first packet of partition 0 of a frame whose header's P bit is clear (section 4.3)."""
    if not payload or payload[0] & 0x1F != 0x10:
        return False
    try:
        start = _descriptor_length(payload)
    except ValueError:
        return False
    return start < len(payload) and not payload[start] & 1


def is_keyframe(payloads: Sequence[bytes]) -> bool:
    return bool(payloads) and starts_keyframe(payloads[0])


def join(payloads: Sequence[bytes]) -> bytes:
    """One frame from the payloads of its packets. Raises ValueError."""
    return b"".join(payload[_descriptor_length(payload) :] for payload in payloads if payload)


def split(frame: bytes, size: int) -> list[bytes]:
    """Payloads of at most ``size`` bytes, with the shortest descriptor: one temporal layer needs no picture id.

    They are of one size, the last a little shorter, so that they can leave as one: see ``datagrams``.
    """
    count = max(1, -(-len(frame) // (size - 1)))
    share = -(-len(frame) // count)
    return [(b"\x10" if index == 0 else b"\x00") + frame[index * share : (index + 1) * share] for index in range(count)]
