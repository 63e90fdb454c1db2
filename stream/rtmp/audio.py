"""Audio tags (FLV annex E.4.2, Enhanced RTMP v2) to packets as decoders take them."""

from __future__ import annotations

from stream.rtmp import tag
from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import CONFIGURATION_BYTES
from stream.rtmp.tag import Header, Selection, Track
from stream.sound.packet import SoundPacket

CODECS = {b"mp4a": "AAC", b"Opus": "OPUS"}
"""By FourCC."""

_AAC, _ENHANCED = 10, 9
"""In the first four bits of a tag."""

_MULTITRACK = 5

TICKS = 48
"""48 kHz, in a ms."""


class AudioTrack:
    """One track of a publisher."""

    def __init__(self, track: int | None = None) -> None:
        """``track`` is which of several to take; None takes the first."""
        self.codec = ""
        """Of the last sequence header."""
        self.skipped = 0
        """Packets that came before what is needed to decode them."""
        self._selection = Selection(track)
        self._number: int | None = None
        self._configuration: bytes | None = None

    def packet(self, payload: bytearray, time: int, received: int) -> SoundPacket | None:
        """A tag's packet, if it has one of this track; its pts is in steps of 1 ms, to which RTMP rounds.

        ``time`` in ms, ``received`` in monotonic ns. Raises RtmpError.
        """
        header = tag.parse(payload, _MULTITRACK) if payload[0] >> 4 == _ENHANCED else _legacy(payload)
        track = self._selection.take(header.tracks)
        if track is None or header.kind not in (tag.SEQUENCE_START, tag.CODED_FRAMES):
            return None
        if track.number != self._number:
            self._number, self._configuration = track.number, None
        codec = CODECS.get(track.fourcc)
        if codec is None:
            raise RtmpError(f"sound of type {track.fourcc!r} is not taken here; send one of {', '.join(CODECS.values())}")
        data = bytes(memoryview(payload)[track.begin : track.end])
        if header.kind == tag.SEQUENCE_START:
            if not 2 <= len(data) <= CONFIGURATION_BYTES:
                raise RtmpError(f"a sequence header of {len(data)} bytes for {codec}")
            self.codec, self._configuration = codec, data
            return None
        if not data:
            return None
        if self._configuration is None or codec != self.codec:
            self.skipped += 1
            return None
        pts = time * TICKS + header.nanoseconds * TICKS // 1_000_000
        return SoundPacket(data, pts, codec, self._configuration, received)


def _legacy(payload: bytearray) -> Header:
    """A tag that is not enhanced. Raises RtmpError."""
    sound = payload[0] >> 4
    if sound != _AAC:
        raise RtmpError(f"sound format {sound} of FLV is not taken here; send one of {', '.join(CODECS.values())}")
    return Header(payload[1] if len(payload) > 1 else tag.SEQUENCE_END, 0, [Track(0, b"mp4a", 2, len(payload))])
