"""Plain, blocking Opus encoding with PyAV, for the sound's thread."""

from __future__ import annotations

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from stream.sound.errors import SoundError
from stream.sound.limits import OPUS_BITRATE, OPUS_COMPLEXITY
from stream.sound.packet import CLOCK_RATE
from stream.sound.samples import Samples

BLOCK = CLOCK_RATE // 50
"""Samples of one packet: 20 ms, as all of WebRTC sends."""

_PRE_SKIP = slice(10, 12)
"""Of OpusHead (RFC 7845 section 5.1), little-endian."""


class OpusEncoder:
    """48 kHz stereo, one packet for each BLOCK."""

    def __init__(self) -> None:
        """Raises SoundError where FFmpeg has no libopus."""
        try:
            context = av.CodecContext.create("libopus", "w")
            assert isinstance(context, AudioCodecContext)
            context.sample_rate = CLOCK_RATE
            context.layout = "stereo"
            context.format = "flt"
            context.bit_rate = OPUS_BITRATE
            context.options = {"application": "audio", "frame_duration": "20", "compression_level": str(OPUS_COMPLEXITY)}
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise SoundError(f"sound cannot be made into Opus here: {error}") from error
        self._context = context
        self.delay = int.from_bytes((context.extradata or b"").ljust(12, b"\0")[_PRE_SKIP], "little")
        """Samples by which what a decoder gives is later than what was encoded."""

    def encode(self, block: Samples) -> bytes:
        """A packet of BLOCK x 2 samples. Raises SoundError."""
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32).reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate = CLOCK_RATE
        try:
            packets = self._context.encode(frame)
        except (av.FFmpegError, ValueError) as error:
            raise SoundError(f"sound cannot be encoded: {error}") from error
        if len(packets) != 1:
            raise SoundError(f"the Opus encoder gave {len(packets)} packets for one block of sound")
        return bytes(packets[0])
