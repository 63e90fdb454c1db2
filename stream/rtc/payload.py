"""Which RTP payload format a codec takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stream.rtc import h264, vp8


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """How a codec's pictures become RTP payloads and pictures again."""

    starts_keyframe: Callable[[bytes], bool]
    """Whether decoding can start at a packet with this payload."""
    is_keyframe: Callable[[Sequence[bytes]], bool]
    join: Callable[[Sequence[bytes]], bytes]
    """Payloads of one picture, in order, to the picture. Raises ValueError."""
    split: Callable[[bytes, int], list[bytes]]
    """A picture to payloads of at most so many bytes."""


FORMATS: dict[str, PayloadFormat] = {
    "H264": PayloadFormat(h264.starts_keyframe, h264.is_keyframe, h264.join, h264.split),
    "VP8": PayloadFormat(vp8.starts_keyframe, vp8.is_keyframe, vp8.join, vp8.split),
}
"""By the encoding name of SDP's rtpmap."""
