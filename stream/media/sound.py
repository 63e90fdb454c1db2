"""A source's sound as streams take it: Opus and AAC as they are, everything else made into Opus."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext

from stream.media.limits import SOUND_BITRATE
from stream.media.pictures import codec_name

RATE, FRAME = 48_000, 960
"""Hz and samples of the Opus that is made: frames of 20 ms."""


class SoundTrack(Protocol):
    """One audio stream's packets."""

    codec: str
    """"OPUS" or "AAC"."""
    configuration: bytes
    """A decoder's extradata. Where packets bring their own it is empty until the first of them."""

    def packets(self, packet: av.Packet[Any]) -> Iterator[tuple[bytes, Fraction | None]]:
        """What becomes of a packet, with its time in s where that is not the packet's own. Raises av.FFmpegError."""


def sound_track(stream: AudioStream) -> SoundTrack:
    """Raises av.FFmpegError where it cannot be decoded."""
    codec = codec_name(stream)
    extradata = bytes(stream.codec_context.extradata or b"")
    if codec == "opus":
        return _Passed("OPUS", extradata)
    if codec == "aac":
        # MP4 and Matroska have the configuration in the container; in MPEG-TS it is in each frame's ADTS header.
        return _Passed("AAC", extradata) if extradata else _Adts(stream)
    return _Encoded(stream)


class _Passed:
    def __init__(self, codec: str, configuration: bytes) -> None:
        self.codec, self.configuration = codec, configuration

    def packets(self, packet: av.Packet[Any]) -> Iterator[tuple[bytes, Fraction | None]]:
        yield bytes(packet), None


class _Adts:
    codec = "AAC"

    def __init__(self, stream: AudioStream) -> None:
        self.configuration = b""
        self._filter = BitStreamFilterContext("aac_adtstoasc", stream)

    def packets(self, packet: av.Packet[Any]) -> Iterator[tuple[bytes, Fraction | None]]:
        for part in self._filter.filter(packet):
            if part.has_sidedata("new_extradata"):
                self.configuration = bytes(part.get_sidedata("new_extradata"))
            if self.configuration:
                yield bytes(part), None


class _Encoded:
    """Decoded and encoded again. A few ms of it are lost at the end of each round: nobody waits for them."""

    codec = "OPUS"

    def __init__(self, stream: AudioStream) -> None:
        self._decoder = stream.codec_context
        self._resampler = AudioResampler("s16", "stereo", RATE, FRAME)
        self._encoder = av.CodecContext.create("libopus", "w")
        assert isinstance(self._encoder, AudioCodecContext)
        self._encoder.sample_rate, self._encoder.layout, self._encoder.format = RATE, "stereo", "s16"
        self._encoder.bit_rate = SOUND_BITRATE
        self._encoder.open()
        self.configuration = bytes(self._encoder.extradata or b"")

    def packets(self, packet: av.Packet[Any]) -> Iterator[tuple[bytes, Fraction | None]]:
        for decoded in self._decoder.decode(packet):
            for frame in self._resampler.resample(decoded):
                at = frame.pts * frame.time_base if frame.pts is not None and frame.time_base is not None else None
                for encoded in self._encoder.encode(frame):
                    yield bytes(encoded), at
