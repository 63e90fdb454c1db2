"""Pictures and sound to the bodies of FLV tags (FLV annex E.4), in the form before Enhanced RTMP, which all servers take.

``video`` and ``audio`` are the way back.
"""

from __future__ import annotations

from typing import NamedTuple

_SPS, _PPS, _DELIMITER = 7, 8, 9
"""NAL unit types (ITU-T H.264 table 7-1)."""

_KEYFRAME, _INTER = 0x17, 0x27
"""First byte of a video tag: the kind of picture, and AVC."""

_AAC = 0xAF
"""First byte of an audio tag: AAC, and what else it says, which is the same for all AAC (FLV annex E.4.2.1)."""


class AccessUnit(NamedTuple):
    """One H.264 picture, taken apart."""

    sps: bytes
    """Empty where it has none."""
    pps: tuple[bytes, ...]
    slices: bytes
    """All other NAL units, each with its length before it in four bytes."""


def access_unit(picture: bytes) -> AccessUnit:
    """Annex B to AVCC. Its delimiter, which AVCC has no use for, is left out."""
    sps = b""
    pps: list[bytes] = []
    slices: list[bytes] = []
    begin = picture.find(b"\0\0\1")
    while begin >= 0:
        begin += 3
        following = picture.find(b"\0\0\1", begin)
        # Zeros before a start code belong to it; no NAL unit ends with one (ITU-T H.264 section 7.4.1).
        unit = picture[begin : following if following >= 0 else len(picture)].rstrip(b"\0")
        begin = following
        kind = unit[0] & 0x1F if unit else _DELIMITER
        if kind == _SPS:
            sps = unit
        elif kind == _PPS:
            pps.append(unit)
        elif kind != _DELIMITER:
            slices += (len(unit).to_bytes(4), unit)
    return AccessUnit(sps, tuple(pps), b"".join(slices))


def avc_header(sps: bytes, pps: tuple[bytes, ...]) -> bytes:
    """A sequence header: AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1), lengths of four bytes."""
    record = b"\1" + sps[1:4] + b"\xff\xe1" + len(sps).to_bytes(2) + sps + bytes((len(pps),))
    record += b"".join(len(unit).to_bytes(2) + unit for unit in pps)
    return bytes((_KEYFRAME, 0, 0, 0, 0)) + record


def avc_picture(slices: bytes, *, keyframe: bool) -> bytes:
    """A picture that is shown when it is decoded."""
    return bytes((_KEYFRAME if keyframe else _INTER, 1, 0, 0, 0)) + slices


def aac_header(configuration: bytes) -> bytes:
    """A sequence header: AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1)."""
    return bytes((_AAC, 0)) + configuration


def aac_frame(frame: bytes) -> bytes:
    """A raw frame."""
    return bytes((_AAC, 1)) + frame
