"""Decoded frames as samples of one rate and number of channels."""

from __future__ import annotations

from typing import Literal, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from stream.sound.errors import SoundError

Samples = NDArray[np.float32]
"""Samples x channels, -1 to 1."""


class Resampler:
    """To a fixed rate and layout from whatever comes; what comes may change."""

    def __init__(self, layout: Literal["mono", "stereo"], rate: int) -> None:
        self.rate = rate
        self._layout = layout
        self.channels = 1 if layout == "mono" else 2
        self._resampler: AudioResampler | None = None
        self._made_for: tuple[str, str, int] | None = None

    def __call__(self, frame: AudioFrame) -> Samples:
        """The frame's samples; a few stay inside, up to the next. Raises SoundError."""
        made_for = (frame.format.name, frame.layout.name, frame.sample_rate)
        few = frame.layout.nb_channels <= 2
        try:
            if self._resampler is None or made_for != self._made_for:
                # More than two channels are mixed by FFmpeg, which only of integers takes as much as no sum is too loud.
                self._resampler = AudioResampler("flt" if few else "s16", frame.layout if few else self._layout, self.rate)
                self._made_for = made_for
            frame.pts = None
            found = [out.to_ndarray().reshape(-1, out.layout.nb_channels) for out in self._resampler.resample(frame)]
        except (av.FFmpegError, ValueError) as error:
            self._resampler = None
            raise SoundError(f"sound of {made_for[2]} Hz, {made_for[1]}, cannot be resampled: {error}") from error
        if not found:
            return np.empty((0, self.channels), np.float32)
        samples = np.concatenate(found)
        if samples.dtype != np.float32:
            samples = samples.astype(np.float32) / 32768
        if samples.shape[1] < self.channels:
            return cast(Samples, np.repeat(samples, self.channels, axis=1))
        if samples.shape[1] > self.channels:
            return cast(Samples, samples.mean(axis=1, keepdims=True, dtype=np.float32))
        return cast(Samples, samples)

    def restart(self) -> None:
        """What stays inside belongs to what ends here."""
        self._resampler = None
