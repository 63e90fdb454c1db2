"""Video tags (FLV annex E.4.3, Enhanced RTMP v2) to pictures as decoders take them."""

from __future__ import annotations

from stream.picture import EncodedPicture
from stream.rtmp import configuration, tag
from stream.rtmp.configuration import Configuration
from stream.rtmp.errors import RtmpError
from stream.rtmp.tag import Header, Selection, Track
from transforms.frame import Timeline

CODECS = {b"avc1": "H264", b"hvc1": "HEVC", b"av01": "AV1", b"vp09": "VP9", b"vp08": "VP8"}
"""By FourCC."""

_NUMBERS = {7: b"avc1", 12: b"hvc1"}
"""By the number in tags that are not enhanced; the second is a custom of encoders older than Enhanced RTMP."""

_LENGTHS = frozenset(("H264", "HEVC"))
"""Codecs whose pictures are NAL units, and have a composition time."""

_LEGACY_HEADER = 5
"""bytes of a tag that is not enhanced before its body: codec, packet type, composition time."""

_ENHANCED = 0x80
_KEYFRAME, _COMMAND = 1, 5
_METADATA, _MULTITRACK = 4, 6

TICKS = 90
"""90 kHz, in a ms."""


class VideoTrack:
    """One track of a publisher, in order of decoding. Whatever it says last of its codec counts from its next picture on."""

    def __init__(self, track: int | None = None) -> None:
        """``track`` is which of several to take; None takes the first."""
        self.codec = ""
        """Of the last sequence header."""
        self.skipped = 0
        """Pictures that came before what is needed to decode them."""
        self._selection = Selection(track)
        self._number: int | None = None
        self._configuration: Configuration | None = None

    def picture(self, payload: bytearray, time: int, received: int) -> EncodedPicture | None:
        """A tag's picture, if it has one of this track. ``time`` in ms of decoding, ``received`` in monotonic ns.

        ``pts`` is when the picture is to be seen: in streams with B-frames it goes back and forth. Raises RtmpError.
        """
        first = payload[0]
        frame, enhanced = first >> 4 & 7, first & _ENHANCED
        if frame == _COMMAND and not (enhanced and first & 0x0F == _METADATA):
            return None
        header = tag.parse(payload, _MULTITRACK) if enhanced else _legacy(payload)
        track = self._selection.take(header.tracks)
        if track is None or header.kind == _METADATA:
            return None
        if track.number != self._number:
            self._number, self._configuration = track.number, None
        codec = CODECS.get(track.fourcc)
        if codec is None:
            raise RtmpError(f"video of type {track.fourcc!r} is not taken here; send one of {', '.join(CODECS.values())}")
        pts = time * TICKS + header.nanoseconds * 9 // 100_000
        return self._body(codec, header.kind, payload, track.begin, track.end, frame == _KEYFRAME, pts, received)

    def _body(
        self, codec: str, kind: int, payload: bytearray, begin: int, end: int, keyframe: bool, pts: int, received: int
    ) -> EncodedPicture | None:
        """``begin`` is where a sequence header, a picture, or the composition time before a picture is."""
        if kind == tag.SEQUENCE_START:
            self.codec = codec
            self._configuration = configuration.read(codec, bytes(payload[begin:end]))
            return None
        if kind == tag.CODED_FRAMES and codec in _LENGTHS:
            if begin + 3 > end:
                raise RtmpError("a picture is cut off")
            # 24 bits, with a sign.
            pts += ((int.from_bytes(payload[begin : begin + 3]) ^ 0x800000) - 0x800000) * TICKS
            begin += 3
        elif kind not in (tag.CODED_FRAMES, tag.CODED_FRAMES_X):
            return None
        if begin == end:
            return None
        current = self._configuration
        if codec != self.codec:
            # VP8 and VP9 can do without a sequence header.
            current = None if codec in _LENGTHS or codec == "AV1" else configuration.read(codec, b"")
            self.codec, self._configuration = codec, current
        if current is None:
            self.skipped += 1
            return None
        if current.length_size:
            data = configuration.annex_b(payload, begin, end, current, keyframe=keyframe)
        elif codec == "AV1" and keyframe:
            data = configuration.with_sequence_header(payload, begin, end, current)
        else:
            data = bytes(memoryview(payload)[begin:end])
        return EncodedPicture(data, pts, keyframe, codec, Timeline(received=received))


def _legacy(payload: bytearray) -> Header:
    """A tag that is not enhanced: its packet type, and always a composition time. Raises RtmpError."""
    number = payload[0] & 0x0F
    fourcc = _NUMBERS.get(number)
    if fourcc is None:
        raise RtmpError(f"video codec {number} of FLV is not taken here; send one of {', '.join(CODECS.values())}")
    kind = payload[1] if len(payload) >= _LEGACY_HEADER and payload[1] <= tag.SEQUENCE_END else tag.SEQUENCE_END
    return Header(kind, 0, [Track(0, fourcc, 2 if kind == tag.CODED_FRAMES else _LEGACY_HEADER, len(payload))])
