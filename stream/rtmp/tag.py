"""The header of enhanced tags (Enhanced RTMP v2): modifiers, FourCC, several tracks in one message.

It is the same for picture and sound, but for the numbers of its packet types.
"""

from __future__ import annotations

from typing import NamedTuple

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import MODIFIERS, TRACKS

SEQUENCE_START, CODED_FRAMES, SEQUENCE_END, CODED_FRAMES_X = 0, 1, 2, 3
"""Packet types; the last is of video only."""

MOD_EX = 7

_ONE_TRACK, _MANY_TRACKS, _MANY_CODECS = 0, 1, 2
_NANOSECONDS = 0
"""The type of ModEx that refines the time stamp."""


class Track(NamedTuple):
    """One track's part of a message: ``payload[begin:end]``."""

    number: int
    """0 where the message is not multitrack."""
    fourcc: bytes
    begin: int
    end: int


class Header(NamedTuple):
    """What an enhanced tag holds."""

    kind: int
    """Packet type."""
    nanoseconds: int
    """To add to the time stamp."""
    tracks: list[Track]


def parse(payload: bytearray, multitrack: int) -> Header:
    """Reads a tag whose first byte says that it is enhanced; ``multitrack`` is the packet type of several tracks.

    Raises RtmpError.
    """
    kind, position, nanoseconds = payload[0] & 0x0F, 1, 0
    for _ in range(MODIFIERS):
        if kind != MOD_EX:
            break
        size = _number(payload, position, 1) + 1
        position += 1
        if size == 256:
            size = _number(payload, position, 2) + 1
            position += 2
        types = _number(payload, position + size, 1)
        if types >> 4 == _NANOSECONDS and size >= 3:
            nanoseconds = _number(payload, position, 3)
        kind = types & 0x0F
        position += size + 1
    if kind == MOD_EX:
        raise RtmpError(f"an enhanced tag has more than {MODIFIERS} modifiers")
    if kind != multitrack:
        return Header(kind, nanoseconds, [Track(0, _fourcc(payload, position), position + 4, len(payload))])
    types = _number(payload, position, 1)
    return Header(types & 0x0F, nanoseconds, _tracks(payload, position + 1, types >> 4))


def _tracks(payload: bytearray, position: int, layout: int) -> list[Track]:
    if layout > _MANY_CODECS:
        raise RtmpError(f"there is no multitrack type {layout}")
    fourcc = b""
    if layout != _MANY_CODECS:
        fourcc = _fourcc(payload, position)
        position += 4
    tracks: list[Track] = []
    while position < len(payload):
        if len(tracks) == TRACKS:
            raise RtmpError(f"more than {TRACKS} tracks in one message")
        if layout == _MANY_CODECS:
            fourcc = _fourcc(payload, position)
            position += 4
        number = _number(payload, position, 1)
        if layout == _ONE_TRACK:
            tracks.append(Track(number, fourcc, position + 1, len(payload)))
            break
        size = _number(payload, position + 1, 3)
        position += 4
        if position + size > len(payload):
            raise RtmpError("a track of a multitrack message is cut off")
        tracks.append(Track(number, fourcc, position, position + size))
        position += size
    return tracks


def _fourcc(payload: bytearray, position: int) -> bytes:
    _number(payload, position, 4)
    return bytes(payload[position : position + 4])


def _number(payload: bytearray, position: int, size: int) -> int:
    if position + size > len(payload):
        raise RtmpError("an enhanced tag is cut off")
    return int.from_bytes(payload[position : position + size])


class Selection:
    """Which of several tracks is taken: the one that was asked for, or the lowest that was seen."""

    def __init__(self, wanted: int | None = None) -> None:
        self._wanted = wanted
        self._taken: int | None = wanted

    def take(self, tracks: list[Track]) -> Track | None:
        """The selected one among those of a message."""
        for track in tracks:
            if self._wanted is None and (self._taken is None or track.number < self._taken):
                self._taken = track.number
        return next((track for track in tracks if track.number == self._taken), None)

    @property
    def number(self) -> int | None:
        """Of the track that is taken."""
        return self._taken
