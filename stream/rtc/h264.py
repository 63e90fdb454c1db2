"""H.264 in RTP: RFC 6184, packetization mode 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_START = b"\0\0\0\1"
_IDR, _SPS = 5, 7
_STAP_A, _FU_A = 24, 28


def _nal_types(payload: bytes) -> Iterator[int]:
    """The types of the NAL units that begin in a payload."""
    kind = payload[0] & 0x1F if payload else 0
    if kind == _FU_A:
        if len(payload) > 1 and payload[1] & 0x80:
            yield payload[1] & 0x1F
    elif kind == _STAP_A:
        position = 1
        while position + 2 < len(payload):
            yield payload[position + 2] & 0x1F
            position += 2 + int.from_bytes(payload[position : position + 2])
    elif kind:
        yield kind


def starts_keyframe(payload: bytes) -> bool:
    """Whether a decoder can start at this packet: a sequence parameter set or the first slice of an IDR picture begins in it."""
    kinds = list(_nal_types(payload))
    if kinds and kinds[0] == _IDR:
        # first_mb_in_slice (ITU-T H.264 section 7.3.3) is 0 where the slice header's first bit is set; a later slice is no start.
        header = {_STAP_A: 4, _FU_A: 2}.get(payload[0] & 0x1F, 1)
        return len(payload) > header and payload[header] > 0x7F
    return _SPS in kinds or _IDR in kinds


def is_keyframe(payloads: Sequence[bytes]) -> bool:
    return any(kind == _IDR for payload in payloads for kind in _nal_types(payload))


def join(payloads: Sequence[bytes]) -> bytes:
    """One access unit in Annex B from the payloads of its packets. Raises ValueError on what RFC 6184 does not allow."""
    parts: list[bytes] = []
    fragmented = False
    for payload in payloads:
        if not payload:
            continue
        kind = payload[0] & 0x1F
        if 1 <= kind <= 23:
            parts += (_START, payload)
        elif kind == _FU_A:
            if len(payload) < 3:
                raise ValueError("FU-A without content")
            if payload[1] & 0x80:
                parts += (_START, bytes(((payload[0] & 0xE0) | (payload[1] & 0x1F),)))
                fragmented = True
            elif not fragmented:
                raise ValueError("FU-A without its first fragment")
            parts.append(payload[2:])
            if payload[1] & 0x40:
                fragmented = False
        elif kind == _STAP_A:
            position = 1
            while position < len(payload):
                size = int.from_bytes(payload[position : position + 2])
                position += 2
                if not size or position + size > len(payload):
                    raise ValueError("STAP-A truncated")
                parts += (_START, payload[position : position + size])
                position += size
        else:
            raise ValueError(f"NAL unit type {kind} in packetization mode 1")
    return b"".join(parts)


def _nal_units(access_unit: bytes) -> Iterator[memoryview]:
    """Annex B (ITU-T H.264 annex B) to NAL units, start codes of three or four bytes."""
    view = memoryview(access_unit)
    begin = access_unit.find(b"\0\0\1")
    while begin >= 0:
        begin += 3
        following = access_unit.find(b"\0\0\1", begin)
        end = len(access_unit) if following < 0 else following
        while end > begin and following >= 0 and access_unit[end - 1] == 0:
            end -= 1
        if end > begin:
            yield view[begin:end]
        begin = following


def split(access_unit: bytes, size: int) -> list[bytes]:
    """Payloads of at most ``size`` bytes: parameter sets aggregated (STAP-A), large units fragmented (FU-A).

    The parts of a unit are of one size, the last a little shorter, so that they can leave as one: see ``datagrams``.
    """
    payloads: list[bytes] = []
    small: list[memoryview] = []
    gathered = 1

    def flush() -> None:
        nonlocal gathered
        if len(small) == 1:
            payloads.append(bytes(small[0]))
        elif small:
            # The header carries the highest nal_ref_idc of its units (section 5.7.1).
            reference = max(unit[0] & 0x60 for unit in small)
            payloads.append(bytes((reference | _STAP_A,)) + b"".join(len(unit).to_bytes(2) + bytes(unit) for unit in small))
        small.clear()
        gathered = 1

    for unit in _nal_units(access_unit):
        if gathered + 2 + len(unit) > size:
            flush()
        if len(unit) + 3 <= size:
            small.append(unit)
            gathered += 2 + len(unit)
            continue
        indicator, kind = (unit[0] & 0xE0) | _FU_A, unit[0] & 0x1F
        content = unit[1:]
        count = -(-len(content) // (size - 2))
        share = -(-len(content) // count)
        for index in range(count):
            flags = (0x80 if index == 0 else 0) | (0x40 if index == count - 1 else 0)
            payloads.append(bytes((indicator, flags | kind)) + content[index * share : (index + 1) * share])
    flush()
    return payloads
