"""The beginning of a file: which tracks it has, and that all their samples are in fragments (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from stream.fmp4.box import box, full_box

MOVIE_TIMESCALE = 1000
"""1/s; only of durations that are not known here."""

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""Pictures as they are (section 8.2.2)."""

_UNDETERMINED = struct.pack(">HH", 0x55C4, 0)
"""Language "und" (section 8.4.2.3)."""

_HEAD_BYTES = 19
"""Of an OpusHead without a channel mapping (RFC 7845 section 5.1)."""


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """An H.264 track."""

    sps: bytes
    pps: tuple[bytes, ...]
    width: int
    """px."""
    height: int


@dataclass(frozen=True, slots=True)
class SoundEntry:
    """An Opus track."""

    head: bytes = b""
    """OpusHead (RFC 7845 section 5.1); empty where it came by RTP, which is stereo (RFC 7587 section 7)."""


VIDEO_TRACK, SOUND_TRACK = 1, 2
"""Track numbers."""

VIDEO_TIMESCALE, SOUND_TIMESCALE = 90_000, 48_000
"""1/s: those of what comes in, so that no time stamp is rounded."""


def header(video: VideoEntry, sound: SoundEntry | None) -> bytes:
    tracks = [_video(video)]
    extends = [_extends(VIDEO_TRACK)]
    if sound is not None:
        tracks.append(_sound(sound))
        extends.append(_extends(SOUND_TRACK))
    times = struct.pack(">4I", 0, 0, MOVIE_TIMESCALE, 0)
    rest = struct.pack(">IH10x", 0x10000, 0x100) + _MATRIX + bytes(24) + (len(tracks) + 1).to_bytes(4)
    movie = full_box(b"mvhd", 0, 0, times, rest)
    brands = box(b"ftyp", b"iso6", bytes(4), b"iso6", b"mp41")
    return brands + box(b"moov", movie, *tracks, box(b"mvex", *extends))


def _video(entry: VideoEntry) -> bytes:
    described = box(
        b"avc1",
        struct.pack(">6xH16xHHII4xH32xHh", 1, entry.width, entry.height, 0x480000, 0x480000, 1, 24, -1),
        box(b"avcC", avc_configuration(entry.sps, entry.pps)),
    )
    about = full_box(b"vmhd", 0, 1, bytes(8))
    shown = struct.pack(">II", entry.width << 16, entry.height << 16)
    return _track(VIDEO_TRACK, VIDEO_TIMESCALE, b"vide", 0, shown, about, described)


def _sound(entry: SoundEntry) -> bytes:
    specific = opus_specific(entry.head)
    described = box(b"Opus", struct.pack(">6xH8xHH4xI", 1, specific[1], 16, SOUND_TIMESCALE << 16), box(b"dOps", specific))
    about = full_box(b"smhd", 0, 0, bytes(4))
    return _track(SOUND_TRACK, SOUND_TIMESCALE, b"soun", 0x100, bytes(8), about, described)


def _track(number: int, timescale: int, handler: bytes, volume: int, size: bytes, about: bytes, described: bytes) -> bytes:
    head = full_box(b"tkhd", 0, 3, struct.pack(">5I8x2H2H", 0, 0, number, 0, 0, 0, 0, volume, 0), _MATRIX, size)
    media = full_box(b"mdhd", 0, 0, struct.pack(">4I", 0, 0, timescale, 0), _UNDETERMINED)
    handled = full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), b"doppel\0")
    here = box(b"dinf", full_box(b"dref", 0, 0, (1).to_bytes(4), full_box(b"url ", 0, 1)))
    empty = [full_box(kind, 0, 0, bytes(count)) for kind, count in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))]
    table = box(b"stbl", full_box(b"stsd", 0, 0, (1).to_bytes(4), described), *empty)
    return box(b"trak", head, box(b"mdia", media, handled, box(b"minf", about, here, table)))


def _extends(number: int) -> bytes:
    """Section 8.8.3: samples come in fragments; of one kind, with nothing else said beforehand."""
    return full_box(b"trex", 0, 0, struct.pack(">5I", number, 1, 0, 0, 0))


def avc_configuration(sps: bytes, pps: tuple[bytes, ...]) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1), lengths of four bytes; of baseline to main profile."""
    sets = [b"\xe1", len(sps).to_bytes(2), sps, bytes((len(pps),))]
    for unit in pps:
        sets += (len(unit).to_bytes(2), unit)
    return b"\1" + sps[1:4] + b"\xff" + b"".join(sets)


def opus_specific(head: bytes) -> bytes:
    """The dOps box's content ("Encapsulation of Opus in ISO Base Media File Format" section 4.3.2): an OpusHead in big-endian.

    No pre-skip: a recording begins in the middle, and what is heard is timed as it was sent.
    """
    if len(head) < _HEAD_BYTES or not head.startswith(b"OpusHead"):
        return struct.pack(">BBHIhB", 0, 2, 0, SOUND_TIMESCALE, 0, 0)
    channels, _, rate, gain, family = struct.unpack_from("<BHIhB", head, 9)
    return struct.pack(">BBHIhB", 0, channels, 0, rate, gain, family) + (
        head[_HEAD_BYTES : _HEAD_BYTES + 2 + channels] if family else b""
    )
