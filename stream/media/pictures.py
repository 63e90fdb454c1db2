"""A source's pictures as decoders take them: NAL units in Annex B with parameter sets at keyframes, or whole frames."""

from __future__ import annotations

from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.video.stream import VideoStream

CODECS = {"h264": "H264", "hevc": "HEVC", "vp8": "VP8", "vp9": "VP9", "av1": "AV1"}
"""By FFmpeg's names."""

_SEQUENCE_HEADER, _DELIMITER = 1, 2
"""AV1's OBU types (AV1 section 6.2.2)."""


class PictureTrack:
    """One video stream's packets."""

    def __init__(self, stream: VideoStream) -> None:
        """Of a stream whose codec is among CODECS."""
        self.stream = stream
        self.codec = CODECS[codec_name(stream)]
        extradata = stream.codec_context.extradata or b""
        self._filter: BitStreamFilterContext | None = None
        self._sequence_header = b""
        if self.codec in ("H264", "HEVC"):
            # Lengths before NAL units (the record begins with its version, 1) become start codes, and the record's parameter
            # sets go in front of keyframes. RTSP has start codes, and parameter sets that may only be in its SDP.
            packed = extradata[:1] == b"\1"
            name = f"{codec_name(stream)}_mp4toannexb" if packed else "dump_extra=freq=keyframe"
            if packed or extradata:
                self._filter = BitStreamFilterContext(name, stream)
        elif self.codec == "AV1":
            # AV1CodecConfigurationRecord: OBUs after four bytes.
            self._sequence_header = extradata[4:] if extradata[:1] == b"\x81" else b""

    def data(self, packet: av.Packet[Any]) -> bytes:
        """Raises av.FFmpegError."""
        # A filter takes what it is given.
        keyframe = packet.is_keyframe
        data = bytes(packet) if self._filter is None else b"".join(bytes(part) for part in self._filter.filter(packet))
        return with_sequence_header(data, self._sequence_header) if keyframe and self._sequence_header else data


def codec_name(stream: av.stream.Stream) -> str:
    """FFmpeg's name for the codec, whatever decodes it; "" where nothing does."""
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else ""


def with_sequence_header(picture: bytes, header: bytes) -> bytes:
    """An AV1 keyframe that a decoder can begin with: a few have their sequence header only in the container."""
    # A temporal delimiter, of two bytes, may come first.
    start = 2 if _kind(picture, 0) == _DELIMITER else 0
    return picture if _kind(picture, start) == _SEQUENCE_HEADER else picture[:start] + header + picture[start:]


def _kind(picture: bytes, position: int) -> int:
    return picture[position] >> 3 & 15 if position < len(picture) else -1
