"""What the first bytes of an Opus packet say (RFC 6716 section 3.1)."""

from __future__ import annotations

_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)

LONGEST = 5760
"""48 kHz: 120 ms, that one packet may hold at most (RFC 6716 section 3.2.5)."""


def duration(data: bytes) -> int:
    """What a packet holds, 48 kHz; 0 of one that is no Opus."""
    if not data:
        return 0
    mode, count = data[0] >> 3, data[0] & 3
    frame = _SILK[mode & 3] if mode < 12 else _HYBRID[mode & 1] if mode < 16 else _CELT[mode & 3]
    frames = (1, 2, 2, data[1] & 63 if len(data) > 1 else 0)[count]
    whole = frame * frames
    return whole if whole <= LONGEST else 0


def plain(head: bytes) -> bool:
    """Whether packets with that OpusHead (RFC 7845 section 5.1) are what RTP carries: mapping family 0, one stream of mono or
    stereo. RTP's own have none.
    """
    return not head or (len(head) >= 19 and head.startswith(b"OpusHead") and 1 <= head[9] <= 2 and head[18] == 0)
