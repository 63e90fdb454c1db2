"""Plain, blocking decoding of sound with PyAV, for the sound's thread."""

from __future__ import annotations

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from stream.sound import audio_specific_config, opus
from stream.sound.errors import SoundError
from stream.sound.limits import AAC_BYTES
from stream.sound.packet import SoundPacket

_OPUS_HEAD = b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00"
"""Version 1, stereo, nothing to skip, 48 kHz, no gain, mapping family 0 (RFC 7845 section 5.1)."""

_BYTES = {"AAC": AAC_BYTES, "OPUS": 1275 * 48 + 2}
"""Of one packet at most, by codec."""


class SoundDecoder:
    """Decodes one publisher's sound of one codec and configuration."""

    def __init__(self, codec: str, configuration: bytes) -> None:
        """Raises SoundError on what is no sound of that codec."""
        self.codec = codec
        self.configuration = configuration
        if codec == "AAC":
            audio_specific_config.parse(configuration)
        elif codec != "OPUS":
            raise SoundError(f"sound in {codec} is not taken here; send AAC or Opus")
        context = av.CodecContext.create("aac" if codec == "AAC" else "libopus", "r")
        assert isinstance(context, AudioCodecContext)
        # RTP's Opus says nothing of itself, and what a publisher's OpusHead says of gain and channels is not to be trusted.
        context.extradata = configuration if codec == "AAC" else _OPUS_HEAD
        if codec == "OPUS":
            context.sample_rate = 48_000
            context.layout = "stereo"
        self._context = context

    def fits(self, packet: SoundPacket) -> bool:
        """Whether a packet is of the same codec and configuration."""
        return packet.codec == self.codec and (self.codec == "OPUS" or packet.configuration == self.configuration)

    def decode(self, data: bytes) -> list[AudioFrame]:
        """Mostly one frame. Raises SoundError on what cannot be decoded; the next packet may be given all the same."""
        if not data or len(data) > _BYTES[self.codec] or (self.codec == "OPUS" and not opus.duration(data)):
            raise SoundError(f"a packet of {len(data)} bytes is no {self.codec}")
        try:
            return self._context.decode(av.Packet(data))
        except (av.FFmpegError, ValueError) as error:
            raise SoundError(f"{self.codec} cannot be decoded: {error}") from error
