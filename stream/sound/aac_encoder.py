"""Opus to AAC, for where nothing else is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from stream.sound.decoder import SoundDecoder
from stream.sound.errors import SoundError
from stream.sound.packet import CLOCK_RATE, SoundPacket
from stream.sound.samples import Resampler, Samples
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)

BITRATE = 128_000
"""b/s of stereo: what YouTube and Twitch advise; lower ones save nothing beside the pictures."""

FRAME = 1024
"""Samples of a channel in one AAC frame (ISO/IEC 14496-3 section 4.5.1.1)."""

CHANNELS = 2

TOLERANCE = CLOCK_RATE // 100
"""Samples that a packet's time stamp may be off, before sound is put in or left out: RTMP rounds to 1 ms, and 10 ms between lips
and voice nobody sees.
"""

LONGEST_GAP = CLOCK_RATE
"""Samples of silence put in for what is missing. After more the time stamps jump: players wait then, too."""

WAITING = 25
"""Packets that may wait for the thread: half a second, longer than any scheduling hiccup that it catches up with."""


class AacEncoder:
    """Opus packets in, AAC-LC frames out, 48 kHz and stereo whatever the packets are. Blocking; used by one thread."""

    def __init__(self) -> None:
        """Raises SoundError where FFmpeg has no AAC."""
        self._decoder = SoundDecoder("OPUS", b"")
        self._resampler = Resampler("stereo", CLOCK_RATE)
        try:
            context = av.CodecContext.create("aac", "w")
            assert isinstance(context, AudioCodecContext)
            context.sample_rate, context.layout, context.format = CLOCK_RATE, "stereo", "fltp"
            context.time_base = Fraction(1, CLOCK_RATE)
            context.bit_rate = BITRATE
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise SoundError(f"sound cannot be made into AAC here: {error}") from error
        self._context = context
        self.configuration = bytes(context.extradata or b"")
        """AudioSpecificConfig."""
        self._held: Samples = np.empty((0, CHANNELS), np.float32)
        """Less than a frame."""
        self._pts: int | None = None
        """48 kHz, of the first sample held."""

    def encode(self, packet: SoundPacket) -> list[SoundPacket]:
        """The frames that a packet completes, each with the time at which it is to be heard. Raises SoundError."""
        frames = self._decoder.decode(packet.data)
        self._place(np.concatenate([self._held[:0], *map(self._resampler, frames)]), packet.pts)
        made = []
        while len(self._held) >= FRAME:
            made += self._encode(packet.received)
        return made

    def _place(self, samples: Samples, pts: int) -> None:
        """Puts them where their time stamp says: silence before them where something is missing, nothing twice."""
        off = LONGEST_GAP + 1 if self._pts is None else pts - self._pts - len(self._held)
        if abs(off) > LONGEST_GAP:
            self._held, self._pts = samples, pts
            return
        silence = np.zeros((off if off > TOLERANCE else 0, CHANNELS), np.float32)
        self._held = np.concatenate((self._held, silence, samples[-off if off < -TOLERANCE else 0 :]))

    def _encode(self, received: int) -> list[SoundPacket]:
        """Encodes a frame of what is held."""
        assert self._pts is not None
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(self._held[:FRAME].T), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = CLOCK_RATE, Fraction(1, CLOCK_RATE), self._pts
        self._held, self._pts = self._held[FRAME:], self._pts + FRAME
        try:
            packets = self._context.encode(frame)
        except (av.FFmpegError, ValueError) as error:
            raise SoundError(f"sound cannot be encoded: {error}") from error
        # FFmpeg takes its encoder's delay off the time stamps.
        return [SoundPacket(bytes(packet), packet.pts or 0, "AAC", self.configuration, received) for packet in packets]


class AacTranscoder:
    """An ``AacEncoder`` in a thread of its own, which begins with the first packet. Used on the loop."""

    def __init__(self, deliver: Callable[[SoundPacket], None]) -> None:
        """``deliver`` is called on the loop, in order."""
        self.dropped = 0
        """Packets that came while WAITING others did, or that could not be decoded."""
        self.waiting = 0
        """Packets that the thread has, at most WAITING."""
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="aac")
        self._encoder: AacEncoder | None = None
        self._closed = False
        self._complaint = Complaint(logger)

    def put(self, packet: SoundPacket) -> None:
        """Opus. Returns at once."""
        if self._closed or self.waiting >= WAITING:
            self.dropped += 1
            return
        self.waiting += 1
        self._executor.submit(self._work, packet)

    def close(self) -> None:
        """Delivers no more; the thread ends after the packet at hand. Safe to call twice."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _work(self, packet: SoundPacket) -> None:
        made: list[SoundPacket] | None = None
        try:
            if self._encoder is None:
                self._encoder = AacEncoder()
            made = self._encoder.encode(packet)
        except SoundError as error:
            self._complaint("a packet of sound was lost: %s", error)
        except Exception as error:  # a thread's last boundary: sound that ends unheard must not end in silence about why
            self._complaint("the server could not work with a packet of sound", error=error)
        try:
            self._loop.call_soon_threadsafe(self._made, made)
        except RuntimeError:
            # The loop has ended, and with it whoever wanted the sound.
            return

    def _made(self, made: list[SoundPacket] | None) -> None:
        self.waiting -= 1
        if made is None:
            self.dropped += 1
        elif not self._closed:
            for packet in made:
                self._deliver(packet)
