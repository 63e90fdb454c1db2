"""Sequence headers: what a decoder must have before the first picture, and how long the lengths before NAL units are."""

from __future__ import annotations

from typing import NamedTuple

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import CONFIGURATION_BYTES, NAL_UNITS

START = b"\0\0\0\1"

_SEQUENCE_HEADER, _DELIMITER = 1, 2
"""AV1's OBU types."""


class Configuration(NamedTuple):
    """Of one codec, until the next sequence header."""

    prefix: bytes
    """What goes before each keyframe: parameter sets in Annex B, or AV1's sequence header."""
    length_size: int
    """bytes of the length before each NAL unit; 0 where there are none."""


def read(codec: str, record: bytes) -> Configuration:
    """A codec's configuration record. Raises RtmpError."""
    if len(record) > CONFIGURATION_BYTES:
        raise RtmpError(f"a sequence header of {len(record)} bytes; {CONFIGURATION_BYTES} are allowed")
    try:
        return {"H264": _avc, "HEVC": _hevc, "AV1": _av1}.get(codec, _nothing)(record)
    except IndexError:
        raise RtmpError(f"the {codec} sequence header is cut off") from None


def _nothing(record: bytes) -> Configuration:
    """VP8 and VP9 say everything in their keyframes."""
    return Configuration(b"", 0)


def _avc(record: bytes) -> Configuration:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1)."""
    units: list[bytes] = []
    position = 5
    for mask in (0x1F, 0xFF):  # SPS, then PPS
        count = record[position] & mask
        position = _units(record, position + 1, count, units)
    return _parameter_sets("H264", units, record[4] & 3)


def _hevc(record: bytes) -> Configuration:
    """HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1)."""
    units: list[bytes] = []
    position = 23
    for _ in range(record[22]):
        count = int.from_bytes((record[position + 1], record[position + 2]))
        position = _units(record, position + 3, count, units)
    return _parameter_sets("HEVC", units, record[21] & 3)


def _units(record: bytes, position: int, count: int, units: list[bytes]) -> int:
    for _ in range(count):
        size = int.from_bytes((record[position], record[position + 1]))
        position += 2
        if position + size > len(record):
            raise IndexError
        units += (START, record[position : position + size])
        position += size
    return position


def _parameter_sets(codec: str, units: list[bytes], length_size: int) -> Configuration:
    if not units:
        raise RtmpError(f"the {codec} sequence header has no parameter sets")
    if length_size == 2:
        raise RtmpError(f"the {codec} sequence header asks for lengths of 3 bytes, which there are none of")
    return Configuration(b"".join(units), length_size + 1)


def _av1(record: bytes) -> Configuration:
    """AV1CodecConfigurationRecord (AV1 in ISO BMFF, section 2.3.3): OBUs after four bytes."""
    return Configuration(record[4:], 0)


def annex_b(payload: bytearray, begin: int, end: int, configuration: Configuration, *, keyframe: bool) -> bytes:
    """NAL units with lengths before them to ones with start codes; parameter sets first, where it is a keyframe.

    Lengths of four bytes, which all encoders use, are overwritten where they lie. Raises RtmpError.
    """
    size = configuration.length_size
    pieces: list[bytes | bytearray] = [configuration.prefix] if keyframe else []
    position = begin
    for _ in range(NAL_UNITS + 1):
        if position >= end:
            break
        after = position + size + int.from_bytes(payload[position : position + size])
        if position + size > end or after > end:
            raise RtmpError("a NAL unit is longer than its picture")
        if size == 4:
            payload[position : position + 4] = START
        else:
            pieces += (START, payload[position + size : after])
        position = after
    else:
        raise RtmpError(f"a picture has more than {NAL_UNITS} NAL units")
    view = memoryview(payload)
    if size == 4:
        return b"".join((*pieces, view[begin:end]))
    return b"".join(pieces)


def with_sequence_header(payload: bytearray, begin: int, end: int, configuration: Configuration) -> bytes:
    """An AV1 keyframe that a decoder can begin with: most have their sequence header, and some have it only in the record."""
    picture = bytes(memoryview(payload)[begin:end])
    # A temporal delimiter, of two bytes, may come first.
    start = 2 if _kind(picture, 0) == _DELIMITER else 0
    if _kind(picture, start) == _SEQUENCE_HEADER:
        return picture
    return picture[:start] + configuration.prefix + picture[start:]


def _kind(picture: bytes, position: int) -> int:
    """The type of the OBU that begins there (AV1 section 5.3.2)."""
    return picture[position] >> 3 & 15 if position < len(picture) else -1
