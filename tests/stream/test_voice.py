"""Voices that are not the publisher's, as viewers and recordings hear them: over ICE, DTLS and SRTP on loopback."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from stream.egress.recording import RecordingEgress
from tests.stream.client import RATE, Client
from tests.stream.conftest import House
from tests.stream.test_broadcast import published, until
from transforms.chain import Step
from transforms.errors import NotPrepared

Open = Callable[..., Awaitable[House]]

OWN, SAID = 440, 1000
"""Hz of what a publisher sends, and of the file."""


def file_url(seconds: float = 2.0) -> str:
    made = io.BytesIO()
    with wave.open(made, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        time = np.arange(round(seconds * 16_000)) / 16_000
        writer.writeframes((16_000 * np.sin(2 * np.pi * SAID * time)).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(made.getvalue()).decode()


def speaking(seconds: float = 2.0, *, repeat: bool = True) -> Step:
    return Step.parse("lipsync", {"source": "file", "file": file_url(seconds), "repeat": repeat})


def pitch(frames: list[AudioFrame]) -> float:
    """Hz of what is loudest in 0.2 s; 0 of silence."""
    samples = np.concatenate([frame.to_ndarray().reshape(-1, 2).mean(1) for frame in frames])
    if np.abs(samples).max() < 1000:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE / len(samples)


def hears(viewer: Client, hertz: float) -> Callable[[], bool]:
    return lambda: len(viewer.sounds) >= 10 and abs(pitch(viewer.sounds[-10:]) - hertz) < 15


async def test_a_viewer_hears_the_file_and_then_the_publisher_again(open_house: Open) -> None:
    house = await open_house()
    await published(house, sound=True)
    viewer = house.client(role="watch", sound=True)
    await viewer.connect(house.sessions, "one")
    await viewer.until(hears(viewer, OWN))
    await house.streams.set_chain("one", [speaking()])
    await viewer.until(hears(viewer, SAID))
    report = house.streams.report("one").sound
    assert report is not None
    assert (report.codec, report.transcoded) == ("VOICE", True)
    await house.streams.set_chain("one", [])
    await viewer.until(hears(viewer, OWN))
    report = house.streams.report("one").sound
    assert report is not None
    assert (report.codec, report.transcoded) == ("OPUS", False)
    await house.streams.set_chain("one", [speaking(1.0, repeat=False)])
    await viewer.until(hears(viewer, SAID))
    await viewer.until(hears(viewer, OWN))


async def test_a_publisher_without_sound_is_given_a_voice(open_house: Open, tmp_path: Path) -> None:
    house = await open_house()
    await published(house)
    viewer = house.client(role="watch", sound=True)
    await viewer.connect(house.sessions, "one")
    await house.streams.set_chain("one", [speaking()])
    await viewer.until(hears(viewer, SAID))
    path = tmp_path / "one.mp4"
    egress = RecordingEgress(path, on_failed=pytest.fail)
    stream = house.streams.get("one")
    stream._attach(egress)
    before = len(viewer.sounds)
    await viewer.until(lambda: len(viewer.sounds) > before + 100)
    await stream._detach(egress, "the test is over")
    with av.open(str(path)) as recorded:
        heard = [frame.to_ndarray().mean(0) for frame in recorded.decode(audio=0)]
    samples = np.concatenate(heard)
    spectrum = np.abs(np.fft.rfft(samples))
    assert float(np.argmax(spectrum)) * RATE / len(samples) == pytest.approx(SAID, abs=5)


async def test_another_stream_is_heard_where_that_is_allowed(open_house: Open) -> None:
    house = await open_house()
    step = Step.parse("lipsync", {"source": "stream", "stream": "radio"})
    await published(house)
    with pytest.raises(NotPrepared, match="allow_listening"):
        await house.streams.set_chain("one", [step])
    assert house.streams.steps("one") == []
    house.streams._engine = replace(house.streams._engine, allow_listening=True)
    mute = house.client(role="publish")
    await mute.connect(house.sessions, "two", [step])
    viewer = house.client(role="watch", sound=True)
    await until(lambda: house.streams.report("two").state == "live")
    await viewer.connect(house.sessions, "two")
    await viewer.until(lambda: len(viewer.sounds) > 20)
    assert pitch(viewer.sounds[-10:]) == 0, "there is no such stream yet"
    radio = house.client(role="publish", sound=True, pictures=False)
    await radio.connect(house.sessions, "radio", None)
    await viewer.until(hears(viewer, OWN))
    await house.streams.stop("radio", "the test ends it")
    await viewer.until(lambda: pitch(viewer.sounds[-10:]) == 0)
