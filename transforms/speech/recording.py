"""Sound that is all there: an uploaded file, or a text that was read out."""

from __future__ import annotations

import base64
import binascii
import io
import wave

import numpy as np
from numpy.typing import NDArray

from transforms.audio import HISTORY, SAMPLE_RATE, STEP

Samples = NDArray[np.float32]

LONGEST = 120
"""s of one recording: 8 MB in memory; more is a file to publish, not a setting."""

RATES = 8_000, 96_000
"""Hz of files that are taken."""

MOST_CHANNELS = 8

MAX_FILE = 700_000
"""Characters of a file as a data URL (512 kB: 16 s at 16 kHz, 32 s at 8 kHz), so that it fits into a request of 1 MiB."""

PATTERN = r"^(data:audio/(x-|vnd\.)?wave?;base64,[A-Za-z0-9+/]+={0,2})?$"

PEAK = 0.5
"""To which the loudest sample of a recording is brought."""


class Recording:
    """A ``Listener`` that plays samples from a time on, once or again and again with a pause between."""

    def __init__(self, samples: Samples, pause: float | None = None) -> None:
        """``samples`` are 16 kHz, mono, -1 to 1; ``pause`` is in s before they are played again, None for only once."""
        self._samples = samples
        self._period = None if pause is None else len(samples) + round(pause * SAMPLE_RATE)
        self._begin: int | None = None

    def begin(self, pts: int) -> None:
        """Plays from a pts (48 kHz) on; before that it is silent."""
        self._begin = round(pts / STEP)

    @property
    def begun(self) -> bool:
        return self._begin is not None

    @property
    def end(self) -> int | None:
        """pts (48 kHz) at which it is over; None where it has not begun, or begins again and again."""
        if self._begin is None or self._period is not None:
            return None
        return (self._begin + len(self._samples)) * STEP

    def window(self, end: int, seconds: float) -> Samples:
        """As ``Listener.window``."""
        if not 0 <= seconds <= HISTORY:
            raise ValueError(f"{seconds:g} s of sound were asked for; 0 to {HISTORY:g} s are given")
        wanted = round(seconds * SAMPLE_RATE)
        if self._begin is None or not len(self._samples):
            return np.zeros(wanted, np.float32)
        places = np.arange(wanted) + (round(end / STEP) - wanted - self._begin)
        turned = places if self._period is None else np.where(places < 0, places, places % self._period)
        inside = (turned >= 0) & (turned < len(self._samples))
        return np.where(inside, self._samples[turned.clip(0, len(self._samples) - 1)], np.float32(0)).astype(np.float32)

    def close(self) -> None:
        """Nothing is held."""


def decode_url(url: str) -> bytes:
    """The file in a data URL. Raises ValueError."""
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error as error:
        raise ValueError(f"the sound's data URL is no base64: {error}") from error


def read_wave(data: bytes) -> Samples:
    """The samples of a WAV file of PCM, made mono and 16 kHz, at most LONGEST of them. Raises ValueError."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            if not RATES[0] <= rate <= RATES[1]:
                raise ValueError(f"the sound has {rate} Hz; send a WAV file of {RATES[0]} to {RATES[1]} Hz")
            if channels > MOST_CHANNELS or not 1 <= width <= 4:
                raise ValueError(f"the sound has {channels} channels of {8 * width} bits; send 16 bits, mono or stereo")
            octets = file.readframes(LONGEST * rate)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"the sound is no WAV file of PCM that can be read ({error}); convert it to 16 bits") from error
    whole = len(octets) // (width * channels) * width * channels
    samples = _numbers(octets[:whole], width).reshape(-1, channels).mean(1)
    if not len(samples):
        raise ValueError("the sound is empty; send a WAV file that has samples")
    return _levelled(_resampled(samples, rate))


def _numbers(octets: bytes, width: int) -> NDArray[np.float64]:
    """-1 to 1."""
    if width == 1:
        return (np.frombuffer(octets, np.uint8).astype(np.float64) - 128) / 128
    parts = np.frombuffer(octets, np.uint8).reshape(-1, width).astype(np.int64)
    numbers = sum(parts[:, i] << (8 * i) for i in range(width))
    half = 1 << (8 * width - 1)
    return np.asarray((numbers + half) % (2 * half) - half, np.float64) / half


def _resampled(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """At SAMPLE_RATE, by cutting the spectrum or lengthening it: all of the recording is there, so nothing needs to be local."""
    if rate == SAMPLE_RATE:
        return samples
    count = max(1, round(len(samples) * SAMPLE_RATE / rate))
    lines = np.fft.rfft(samples)[: count // 2 + 1]
    return np.asarray(np.fft.irfft(lines, count)) * (count / len(samples))


def _levelled(samples: NDArray[np.float64]) -> Samples:
    peak = float(np.abs(samples).max())
    return (samples * (PEAK / peak) if peak > 1e-3 else samples).astype(np.float32)
