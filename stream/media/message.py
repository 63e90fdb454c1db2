"""What the process that reads says to the one that asked, over a pipe: a header of fixed length, then that many bytes."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Literal

_HEADER = struct.Struct("!c?qqI")

HEADER_SIZE = _HEADER.size
"""bytes."""

Kind = Literal["format", "picture", "sound", "end"]

_LETTERS: dict[Kind, bytes] = {"format": b"F", "picture": b"P", "sound": b"S", "end": b"E"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Header:
    """Of one message."""

    kind: Kind
    keyframe: bool
    pts: int
    """Ticks, as ``dts``."""
    dts: int
    """When it must be there: pictures are sent in the order of decoding."""
    size: int
    """bytes that follow."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a source has; said before its first packet."""

    codec: str = ""
    """Of pictures: "H264", "HEVC", "VP8", "VP9", "AV1"; "" where there are none."""
    width: int = 0
    height: int = 0
    sound: str = ""
    """"OPUS", "AAC"; "" where there is none, or none that can be taken."""
    configuration: str = ""
    """A decoder's extradata for sound, in hexadecimal."""
    paced: bool = True
    """Whether it is read as fast as it is asked for, and so to be asked in time."""
    live: bool = False
    """Whether it has no end, so that one is a failure."""


@dataclass(frozen=True, slots=True)
class End:
    """No more comes."""

    reason: str
    """A sentence without credentials."""
    final: bool
    """Whether another try would bring nothing else."""


def pack(kind: Kind, payload: bytes, *, keyframe: bool = False, pts: int = 0, dts: int = 0) -> bytes:
    return _HEADER.pack(_LETTERS[kind], keyframe, pts, dts, len(payload)) + payload


def pack_document(document: Format | End) -> bytes:
    return pack("format" if isinstance(document, Format) else "end", json.dumps(asdict(document)).encode())


def unpack(header: bytes) -> Header:
    """Raises ValueError."""
    try:
        letter, keyframe, pts, dts, size = _HEADER.unpack(header)
    except struct.error as error:
        raise ValueError(str(error)) from error
    if letter not in _KINDS:
        raise ValueError(f"a message of kind {letter!r}")
    return Header(_KINDS[letter], keyframe, pts, dts, size)
