"""Opus of a voice that is there by time, such as a text that is read out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.sound.encoder import BLOCK, OpusEncoder
from stream.sound.packet import SoundPacket
from stream.sound.samples import Samples
from transforms.audio import SAMPLE_RATE, STEP, Listener

REACH = 16
"""16 kHz: samples to each side of one that have a say in it; 1 ms, and 40 dB of what is mirrored above 8.6 kHz is gone."""

CUTOFF = 7_600
"""Hz of the low-pass that makes 48 kHz of 16 kHz: all but the last of what 16 kHz can hold."""

WINDOW = (BLOCK // STEP + 2 * REACH) / SAMPLE_RATE
"""s of sound that a block is made of."""


def _low_pass() -> NDArray[np.float32]:
    """(2 * REACH + 1, STEP): what each sample around adds to each of the three that are made of one."""
    places = np.arange(-REACH, REACH + 1)[:, None] - np.arange(STEP)[None] / STEP
    share = 2 * CUTOFF / SAMPLE_RATE
    window = np.cos(np.pi * places / (2 * REACH + 2)) ** 2
    taps = share * np.sinc(share * places) * window
    return np.asarray(taps / taps.sum(0), np.float32)


_TAPS = _low_pass()


def block(voice: Listener, pts: int) -> Samples:
    """BLOCK x 2 samples from a pts (48 kHz, a multiple of STEP) on. Each is made of the voice around it and of nothing else, so
    that blocks one after the other have no seam, and one may be left out.
    """
    heard = voice.window(pts + BLOCK + REACH * STEP, WINDOW)
    mono = (np.lib.stride_tricks.sliding_window_view(heard, 2 * REACH + 1) @ _TAPS).reshape(-1, 1)
    return np.asarray(np.repeat(mono.clip(-1, 1), 2, axis=1), np.float32)


class VoiceEncoder:
    """Used by one thread."""

    def __init__(self) -> None:
        """Raises SoundError where there is no Opus."""
        self._encoder = OpusEncoder()

    def encode(self, voice: Listener, pts: int, received: int) -> SoundPacket:
        """The packet of 20 ms from a pts on, 48 kHz. Raises SoundError."""
        data = self._encoder.encode(block(voice, pts))
        return SoundPacket(data, pts - self._encoder.delay, "OPUS", b"", received)
