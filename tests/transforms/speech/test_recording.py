from __future__ import annotations

import base64
import io
import wave

import numpy as np
import pytest

from transforms.errors import NotPrepared
from transforms.speech import synthesis
from transforms.speech.recording import Recording, decode_url, read_wave


def file(rate: int = 16_000, width: int = 2, channels: int = 1, seconds: float = 0.5) -> bytes:
    time = np.arange(round(rate * seconds)) / rate
    tone = np.repeat(0.25 * np.sin(2 * np.pi * 440 * time), channels)
    whole = (tone * (2 ** (8 * width - 1) - 1)).astype(np.int64) + (128 if width == 1 else 0)
    octets = whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    made = io.BytesIO()
    with wave.open(made, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(octets.tobytes())
    return made.getvalue()


@pytest.mark.parametrize(("rate", "width", "channels"), [(16_000, 2, 1), (8_000, 1, 1), (44_100, 3, 2), (48_000, 4, 2)])
def test_waves_of_many_kinds_become_one(rate: int, width: int, channels: int) -> None:
    samples = read_wave(file(rate, width, channels))
    assert len(samples) == 8000
    assert samples.dtype == np.float32
    middle = samples[1000:7000]
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1000, 7000) / 16_000)
    assert np.abs(middle - expected).max() < 0.03


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no WAV file"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "no WAV file"),
        (file()[:30], "no WAV file"),
        (file(seconds=0), "empty"),
        (file(rate=4000), "4000 Hz"),
    ],
)
def test_other_files_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_wave(data)


def test_a_data_url_gives_its_file_or_says_why_not() -> None:
    data = file()
    assert decode_url("data:audio/wav;base64," + base64.b64encode(data).decode()) == data
    with pytest.raises(ValueError, match="no base64"):
        decode_url("data:audio/wav;base64,AAA")


def test_it_plays_once_from_its_beginning() -> None:
    samples = (np.arange(1, 1601) / 1600).astype(np.float32)
    recording = Recording(samples)
    assert not recording.window(48_000, 1.0).any()
    recording.begin(48_000)
    window = recording.window(48_000 + 6000, 0.25)
    assert not window[: 4000 - 2000].any()
    assert np.array_equal(window[2000:3600], samples)
    assert not window[3600:].any()
    assert not recording.window(480_000, 1.0).any()


def test_it_plays_again_after_a_pause() -> None:
    samples = np.ones(1600, np.float32)
    recording = Recording(samples, pause=0.1)
    recording.begin(0)
    second = recording.window(48_000, 1.0)
    assert np.array_equal(second, np.tile(np.repeat([1.0, 0.0], 1600), 5))
    assert not recording.window(0, 1.0).any()


@pytest.mark.parametrize("seconds", [-0.1, 5.0])
def test_a_window_has_bounds(seconds: float) -> None:
    with pytest.raises(ValueError, match="0 to 4 s"):
        Recording(np.ones(16, np.float32)).window(0, seconds)


def test_a_text_is_read_out() -> None:
    samples = synthesis.spoken("Hello there, how do you do?")
    assert 0.8 < len(samples) / 16_000 < 5
    assert np.abs(samples).max() == pytest.approx(0.5)


def test_a_text_is_never_taken_for_an_option() -> None:
    assert len(synthesis.spoken("-o /tmp/elsewhere --version; $(reboot)")) > 16_000


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x07"])
def test_nothing_to_say_is_said(text: str) -> None:
    with pytest.raises(NotPrepared, match="no text"):
        synthesis.spoken(text)


def test_without_a_synthesizer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.speech.synthesis.shutil.which", lambda name: None)
    with pytest.raises(NotPrepared, match="install one of espeak-ng, flite"):
        synthesis.spoken("Hello")


def test_a_synthesizer_that_fails_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "ENGINES", {"false": ()})
    with pytest.raises(NotPrepared, match="false could not read the text out"):
        synthesis.spoken("Hello")
