"""A publisher's AAC made into Opus, at the time it was at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from av.audio.frame import AudioFrame

from stream.sound.decoder import SoundDecoder
from stream.sound.encoder import BLOCK, OpusEncoder
from stream.sound.errors import SoundError
from stream.sound.limits import DRIFT, JUMP, SMOOTHING, STRETCH
from stream.sound.packet import CLOCK_RATE, SoundPacket
from stream.sound.samples import Resampler, Samples

FRAME = 1024
"""Samples of an AAC frame, at the rate of its core."""

_NOTHING: Samples = np.empty((0, 2), np.float32)


class Transcoder:
    """Used by one thread; blocks while FFmpeg works, without the GIL.

    Time is kept by counting samples, from the first packet's pts: those of publishers are rounded and jitter. Where the count and
    the smoothed pts drift apart, sound is stretched by what nobody hears; where they are apart by more than JUMP, it begins anew.
    """

    def __init__(
        self,
        on_broken: Callable[[SoundError], None] = lambda _: None,
        on_decoded: Callable[[AudioFrame, int], None] = lambda _frame, _pts: None,
    ) -> None:
        """``on_broken`` is told of each packet that silence takes the place of, ``on_decoded`` is given each decoded frame and
        the pts of its first sample.
        """
        self._on_broken = on_broken
        self._on_decoded = on_decoded
        self._decoder: SoundDecoder | None = None
        self._resampler = Resampler("stereo", CLOCK_RATE)
        self._encoder: OpusEncoder | None = None
        self._usual = FRAME / CLOCK_RATE
        """s of a packet, as the last one was."""
        self._expected: float | None = None
        """pts of the next packet by the count of samples, 48 kHz."""
        self._error = 0.0
        """Samples by which the pts that packets have are later than that, smoothed."""
        self._waiting = _NOTHING
        """Resampled, and less than a block."""
        self._begin = 0
        """pts of the first of them."""
        self._received: deque[tuple[float, int]] = deque()
        """pts from which samples are of a packet, and when it was received."""

    def _restart(self, pts: int) -> None:
        self._expected, self._error = pts, 0.0
        self._waiting, self._begin = _NOTHING, pts
        self._received.clear()
        self._resampler.restart()

    def forget(self) -> None:
        """Another publisher begins."""
        self._decoder = None
        self._expected = None

    def transcode(self, packet: SoundPacket) -> list[SoundPacket]:
        """The Opus packets that a packet of AAC completes. Raises SoundError where its configuration cannot be taken."""
        if self._decoder is None or not self._decoder.fits(packet):
            self._decoder = SoundDecoder(packet.codec, packet.configuration)
        if self._encoder is None:
            self._encoder = OpusEncoder()
        made: list[SoundPacket] = []
        if self._expected is None or abs(packet.pts - self._expected) > JUMP:
            if self._expected is not None and packet.pts > self._expected and len(self._waiting):
                made += self._blocks(BLOCK - len(self._waiting))
            self._restart(packet.pts)
        assert self._expected is not None
        self._error += (packet.pts - self._expected - self._error) / SMOOTHING
        self._received.append((self._expected, packet.received))
        self._append(packet)
        return made + self._blocks(0)

    def _append(self, packet: SoundPacket) -> None:
        """Decodes a packet, or puts silence where that cannot be done."""
        assert self._decoder is not None
        assert self._expected is not None
        try:
            frames = self._decoder.decode(packet.data)
            for frame in frames:
                self._usual = frame.samples / frame.sample_rate
                self._on_decoded(frame, round(self._expected))
                samples = self._resampler(frame)
                self._expected += self._usual * CLOCK_RATE
                self._waiting = np.concatenate((self._waiting, samples))
        except SoundError as error:
            self._on_broken(error)
            silence = round(self._usual * CLOCK_RATE)
            self._expected += silence
            self._waiting = np.concatenate((self._waiting, np.zeros((silence, 2), np.float32)))

    def _blocks(self, silence: int) -> list[SoundPacket]:
        """Encodes what is whole, after so many samples of silence."""
        assert self._encoder is not None
        assert self._expected is not None
        if silence:
            self._waiting = np.concatenate((self._waiting, np.zeros((silence + STRETCH, 2), np.float32)))
        made = []
        while len(self._waiting) >= BLOCK + STRETCH:
            stretch = 0
            if abs(self._error) > DRIFT:
                # Little by little: a 64th of what is left, and at least a sample.
                stretch = int(np.clip(self._error / 64 + np.sign(self._error), -STRETCH, STRETCH))
            taken, self._waiting = self._waiting[: BLOCK - stretch], self._waiting[BLOCK - stretch :]
            self._error -= stretch
            self._expected += stretch
            while len(self._received) > 1 and self._received[1][0] <= self._begin:
                self._received.popleft()
            received = self._received[0][1]
            data = self._encoder.encode(_stretched(taken))
            made.append(SoundPacket(data, self._begin - self._encoder.delay, "OPUS", b"", received))
            self._begin += BLOCK
        return made


def _stretched(samples: Samples) -> Samples:
    """A block of samples, made of a few more or less."""
    if len(samples) == BLOCK:
        return samples
    places = np.linspace(0, len(samples) - 1, BLOCK)
    counted = np.arange(len(samples))
    return np.stack([np.interp(places, counted, samples[:, channel]) for channel in range(2)], axis=1).astype(np.float32)
