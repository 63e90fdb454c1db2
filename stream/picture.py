"""Encoded pictures, as they come in and as they go out."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.frame import Timeline


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One access unit (H.264, HEVC: Annex B) or frame (VP8, VP9, AV1)."""

    data: bytes
    pts: int
    """90 kHz; on the way out the pts of the frame that it was made from."""
    keyframe: bool
    codec: str
    """"H264" or "VP8"; on the way in "HEVC", "VP9" or "AV1" too."""
    timeline: Timeline
    width: int = 0
    """px; 0 where only a decoder would know."""
    height: int = 0
