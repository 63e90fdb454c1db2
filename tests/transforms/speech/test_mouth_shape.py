from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.transforms.speech.flite import SENTENCES, Played, correlation, lag, speech
from transforms.faces.blendshapes import NAMES
from transforms.speech import mouth_shape
from transforms.speech.mouth_shape import LATENCY, Speaker

TICK = Fraction(1, 90_000)
JAW = NAMES.index("jawOpen")


def poses(samples: NDArray[np.float32], fps: int = 100, known_ahead: float = 0.0, begin: float = 0.0) -> NDArray[np.float64]:
    """(frames, 52) weights."""
    speaker = Speaker(Played(samples, begin), known_ahead)
    first = round(begin * fps)
    frames = range(first, first + round(len(samples) / 16_000 * fps))
    weights = [speaker.pose(90_000 // fps * frame, TICK).weights for frame in frames]
    speaker.close()
    return np.array(weights)


@pytest.mark.parametrize("voice", SENTENCES)
def test_the_jaw_follows_what_is_said_at_the_latency_that_is_stated(voice: str) -> None:
    said = speech(voice)
    jaw = poses(said.samples)[:, JAW]
    expected = said.opening(np.arange(len(jaw)) / 100 - LATENCY)
    assert correlation(jaw, expected) > 0.75
    assert abs(lag(jaw, expected)) <= 3
    assert 0.2 < jaw.max() < 0.6


def test_lips_close_for_bilabials() -> None:
    closed = []
    for voice in SENTENCES:
        said = speech(voice)
        jaw = poses(said.samples)[:, JAW]
        for begin, end in said.closures:
            first, last = (round((time + LATENCY) * 100) for time in (begin - 0.02, end + 0.03))
            closed.append(jaw[first:last].min() < 0.03)
    assert len(closed) > 20
    assert np.mean(closed) >= 0.8


def test_a_recording_is_followed_without_latency() -> None:
    said = speech("rms")
    jaw = poses(said.samples, known_ahead=1.0)[:, JAW]
    assert abs(lag(jaw, said.opening(np.arange(len(jaw)) / 100))) <= 3


def test_silence_and_hum_leave_the_mouth_closed() -> None:
    time = np.arange(32_000) / 16_000
    noise = np.random.default_rng(0).normal(0, 1e-3, 32_000)
    for sound in (np.zeros(32_000), 2e-3 * np.sin(2 * np.pi * 50 * time), noise):
        assert poses(sound.astype(np.float32), 25).max() < 0.02


def test_only_jaw_and_mouth_move() -> None:
    moving = poses(speech("rms").samples, 25).max(0) > 0
    assert {NAMES[i][:3] for i in np.flatnonzero(moving)} == {"jaw", "mou"}


def test_the_rate_of_pictures_changes_little() -> None:
    said = speech("awb")
    slow, fast = poses(said.samples, 25)[:, JAW], poses(said.samples, 50)[::2, JAW]
    assert correlation(slow, fast) > 0.97


def test_a_later_beginning_changes_nothing() -> None:
    """Also far into a stream, and across the recogniser's next utterance."""
    said = speech("rms").samples
    assert np.allclose(poses(said, 25), poses(said, 25, begin=4000.0), atol=1e-4)


def test_long_speech_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = speech("awb")
    whole = poses(said.samples, 50)[:, JAW]
    monkeypatch.setattr("transforms.speech.recogniser.LONGEST", 16_000)
    parted = poses(said.samples, 50)[:, JAW]
    assert correlation(whole, parted) > 0.85


def test_jumps_in_time_do_no_harm() -> None:
    said = speech("rms")
    speaker = Speaker(Played(said.samples))
    for pts in (0, 3600, 90_000, 93_600, 900_000_000, 0, -90_000, 90_000):
        assert np.isfinite(speaker.pose(pts, TICK).weights).all()
    after = [speaker.pose(90_000 + 3600 * frame, TICK).weights[JAW] for frame in range(25)]
    assert max(after) > 0.1
    speaker.close()


class Late(Played):
    """Knows nothing of the last 80 ms before a frame."""

    now = 0.0

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        window = super().window(end, seconds)
        unknown = round((end / 48_000 - self.now + 0.08) * 16_000)
        if unknown > 0:
            window[-min(unknown, len(window)) :] = 0
        return window


def test_sound_that_comes_late_is_waited_for() -> None:
    said = speech("awb")
    late = Late(said.samples)
    speaker = Speaker(late)
    jaw = []
    for frame in range(round(said.seconds * 50)):
        late.now = frame / 50
        jaw.append(speaker.pose(1800 * frame, TICK).weights[JAW])
    speaker.close()
    expected = said.opening(np.arange(len(jaw)) / 50 - LATENCY)
    assert correlation(np.array(jaw), expected) > 0.6


def test_close_lets_go_of_the_sound_even_twice() -> None:
    played = Played(np.zeros(16_000, np.float32))
    speaker = Speaker(played)
    speaker.hear(3600, TICK)
    speaker.close()
    speaker.close()
    assert played.closed >= 1


def test_without_a_recogniser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("transforms.speech.recogniser.importlib.import_module", missing)
    with pytest.raises(ValueError, match="pip install pocketsphinx"):
        Speaker(Played(np.zeros(16, np.float32)))


def test_the_voice_is_as_loud_as_it_is() -> None:
    speaker = Speaker(Played(speech("rms").samples))
    voices = [speaker.pose(3600 * frame, TICK).voice for frame in range(60)]
    speaker.close()
    assert max(voices[:10]) == 0
    assert 0.5 < max(voices) <= 1


def test_the_window_of_sound_is_never_too_long() -> None:
    from transforms.audio import HISTORY

    assert (mouth_shape.MOST_AT_ONCE + mouth_shape.BEFORE) / 16_000 < HISTORY
