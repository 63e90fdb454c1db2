"""Sound as a mel spectrogram."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from transforms.audio import SAMPLE_RATE
from transforms.packages.mel import Mel, bands, hertz
from transforms.packages.tensors import MelInput

CPU = torch.device("cpu")


def described(**more: object) -> MelInput:
    return MelInput.model_validate({"name": "mel", "kind": "mel", **more})


def tone(frequency: float, samples: int, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(samples) / SAMPLE_RATE)).astype(np.float32)


def test_the_scale_is_linear_up_to_1_khz_and_then_logarithmic() -> None:
    found = hertz(np.array([0.0, 7.5, 15.0, 42.0]))
    assert found == pytest.approx([0, 500, 1000, 6400])


def test_each_band_has_the_area_of_slaneys() -> None:
    filters = bands(described())
    assert filters.shape == (80, 401)
    assert filters.min() >= 0
    # A triangle of area 1 over Hz, on lines that are 20 Hz apart; the narrow ones below fall between lines.
    assert filters[40:].sum(1) * 20 == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("frequency", [300.0, 1200.0, 5000.0])
def test_a_tone_is_loudest_in_its_band(frequency: float) -> None:
    mel = Mel(described(), CPU)
    found = mel(tone(frequency, mel.samples))
    assert found.shape == (1, 1, 80, 16)
    band = int(found[0, 0].mean(1).argmax())
    low, high = hertz(np.linspace(55 / (200 / 3), 42 + np.log(7600 / 6400) / (np.log(6.4) / 27), 82))[[band, band + 2]]
    assert low <= frequency <= high


def test_silence_is_the_lower_end_of_the_range_and_nothing_is_beyond_it() -> None:
    mel = Mel(described(), CPU)
    assert torch.equal(mel(np.zeros(mel.samples, np.float32)), torch.full((1, 1, 80, 16), -4.0))
    loud = mel(np.random.default_rng(0).uniform(-1, 1, mel.samples).astype(np.float32) * 1e6)
    assert loud.max().item() == 4.0


def test_ten_times_as_loud_is_20_db() -> None:
    mel = Mel(described(preemphasis=0), CPU)
    quiet, loud = (mel(tone(1000, mel.samples, amplitude)) for amplitude in (0.001, 0.01))
    band = int(loud[0, 0].mean(1).argmax())
    # 8 units are 100 dB.
    assert (loud - quiet)[0, 0, band].mean().item() == pytest.approx(20 * 8 / 100, abs=0.01)


def test_without_the_channel() -> None:
    mel = Mel(described(channel=False, steps=5, bands=40), CPU)
    assert mel(np.zeros(mel.samples, np.float32)).shape == (1, 40, 5)


def test_the_window_begins_at_the_picture() -> None:
    """A click at the time of the picture is in the first step, one 0.1 s later is in the eighth."""
    mel = Mel(described(preemphasis=0), CPU)
    end = mel.end(90_000, Fraction(1, 90_000), 0.0) / 48_000
    for later, step in ((0.0, 0), (0.1, 8)):
        sound = np.zeros(mel.samples, np.float32)
        sound[round((1 + later - (end - mel.seconds)) * SAMPLE_RATE)] = 1
        assert int(mel(sound)[0, 0].mean(0).argmax()) == step


def test_an_offset_takes_later_sound() -> None:
    mel = Mel(described(), CPU)
    at = [mel.end(90_000, Fraction(1, 90_000), offset) for offset in (0.0, 0.05)]
    assert at[1] - at[0] == 2400
