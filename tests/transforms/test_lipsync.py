from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.footage import clip, frames
from tests.transforms.pictures import copied, copy_at, noise, same
from tests.transforms.speech.flite import SENTENCES, Played, Speech, correlation, lag, speech
from transforms.audio import Silence, Voice
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.errors import NotPrepared
from transforms.faces.face import Face
from transforms.faces.pose import pose_of
from transforms.faces.regions import FACE_OVAL, LIPS_INNER
from transforms.faces.warp import warp
from transforms.frame import Frame, Planes
from transforms.library.lipsync import WIDEST, Lipsync, LipsyncSettings
from transforms.models.store import Store
from transforms.speech.mouth_shape import LATENCY

CPU = torch.device("cpu")
FPS = 25
SHUT = 0.15
"""cm between the inner lips that the tracker sees in a mouth that is closed."""

LOW, HIGH = list(LIPS_INNER[3:8]), list(LIPS_INNER[17:12:-1])


class Witness:
    """The tracker, as a second opinion on each picture: frames are so far apart in time that nothing is smoothed."""

    def __init__(self, store: Store) -> None:
        self._context = Context(CPU, store)
        self._time = 0

    def face(self, frame: Frame) -> Face:
        self._time += 900_000
        faces = self._context.faces.track(Frame(copied(frame), pts=self._time, color=frame.color)).faces
        return max(faces, key=lambda face: face.box.side)


@pytest.fixture
def referee(store: Store) -> Witness:
    return Witness(store)


def made(store: Store, sound: NDArray[np.float32] | None = None, **settings: object) -> Lipsync:
    listen = Silence if sound is None else lambda: Played(sound)
    transform = Lipsync(LipsyncSettings.model_validate(settings), Context(CPU, store, listen))
    transform.prepare()
    return transform


def halved(frame: Frame, pts: int) -> Frame:
    """Every other pixel: quicker."""
    return Frame(Planes(*(plane[::2, ::2].clone() for plane in frame.planes)), pts=pts, color=frame.color)


def man() -> Frame:
    """His mouth is closed."""
    return list(frames(clip("talkingface"), 4))[3]


def gap(face: Face) -> float:
    """Between the inner lips, cm."""
    lips = face.landmarks[:, :2]
    return float((lips[LOW] - lips[HIGH]).norm(dim=1).mean()) / pose_of(face.landmarks).scale


def openings(transform: Lipsync, pictures: Callable[[int], Frame], count: int, referee: Witness) -> NDArray[np.float64]:
    return np.array([gap(referee.face(transform.process(pictures(number)))) for number in range(count)])


def at_100_hz(measured: NDArray[np.float64], said: Speech) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What was measured, less the latency that is stated, and what was to be expected."""
    times = np.arange(0, len(measured) / FPS - LATENCY - 0.02, 0.01)
    return np.interp(times + LATENCY, np.arange(len(measured)) / FPS, measured), said.opening(times)


@pytest.mark.parametrize("voice", ["rms", "slt"])
def test_lips_follow_speech(store: Store, referee: Witness, voice: str) -> None:
    """On a still face: correlation, delay, and bilabials that close the lips."""
    said, still = speech(voice), man()
    transform = made(store, said.samples)
    count = int(said.seconds * FPS)
    measured, expected = at_100_hz(openings(transform, lambda n: halved(still, n * 3600), count, referee), said)
    transform.close()
    assert transform.sound_delay == LATENCY
    assert correlation(measured, expected) >= 0.7
    assert abs(lag(measured, expected)) * 10 <= 60
    closed = [measured[round(begin * 100) - 2 : round(end * 100) + 4].min() < SHUT for begin, end in said.closures]
    assert np.mean(closed) >= 0.8
    assert measured.max() > 0.6


def test_somebody_who_talks_says_something_else(store: Store, referee: Witness) -> None:
    """The live mouth's movement is gone, and the voice's is there."""
    said = speech("awb")
    talking = list(frames(clip("protagonist"), int(said.seconds * FPS)))
    transform = made(store, said.samples)
    measured, expected = at_100_hz(openings(transform, lambda n: halved(talking[n], n * 3600), len(talking), referee), said)
    transform.close()
    assert correlation(measured, expected) >= 0.7
    live = np.array([gap(referee.face(halved(frame, 0))) for frame in talking[::4]])
    shown = measured[:: 400 // FPS]
    assert correlation(live[: len(shown)], shown[: len(live)]) < 0.4


def test_without_a_voice_a_talking_mouth_stays_closed(store: Store, referee: Witness) -> None:
    talking = list(frames(clip("protagonist"), 36))
    live = [gap(referee.face(frame)) for frame in talking[::4]]
    transform = made(store)
    shown = [gap(referee.face(transform.process(copy_at(frame, n * 3600)))) for n, frame in enumerate(talking[::2])][::2]
    transform.close()
    assert max(live) > 0.8
    # With the shadow between lips that are pressed together.
    assert np.mean(shown) < 0.2 * np.mean(live)
    assert max(shown) < 0.4


def test_a_strength_of_nothing_keeps_it_closed(store: Store, referee: Witness) -> None:
    said, still = speech("rms"), man()
    for strength, least, most in ((0.0, 0.0, SHUT), (1.5, 0.8, 4.0)):
        transform = made(store, said.samples, strength=strength)
        shown = openings(transform, lambda n: halved(still, n * 3600), 30, referee)
        transform.close()
        assert least <= shown.max() <= most


def test_what_is_far_from_the_mouth_is_the_same_to_the_bit(store: Store, referee: Witness) -> None:
    said, still = speech("rms"), man()
    face = referee.face(still)
    left, top = (float(value) for value in face.landmarks[list(FACE_OVAL), :2].amin(0))
    right, bottom = (float(value) for value in face.landmarks[list(FACE_OVAL), :2].amax(0))
    room = int(WIDEST * pose_of(face.landmarks).scale) + 8
    transform = made(store, said.samples)
    for number in range(0, 40, 2):
        before = copy_at(still, number * 3600)
        after = transform.process(copy_at(still, number * 3600))
        outside = torch.ones_like(before.planes.y, dtype=torch.bool)
        # Nothing above the brows, and nothing beyond the skin that gives way.
        outside[int(face.landmarks[9, 1]) : int(bottom) + room, int(left) - room : int(right) + room] = False
        assert torch.equal(after.planes.y[outside], before.planes.y[outside])
    assert float(top) > 0
    assert after.changed
    transform.close()


def test_a_silent_still_face_stands_still(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a camera's noise: jitter of the mouth under 0.3 px rms, flicker under 1 %."""
    still, transform = man(), made(store)
    targets: list[torch.Tensor] = []

    def recorded(frame: Frame, source: torch.Tensor, target: torch.Tensor, *others: object) -> None:
        targets.append(target[:468, :2] - source[:468, :2])
        warp(frame, source, target, *others)  # type: ignore[arg-type]

    monkeypatch.setattr("transforms.faces.performance.warp", recorded)
    generator = torch.Generator().manual_seed(0)
    brightness = []
    for number in range(36):
        grain = torch.randn(still.planes.y.shape, generator=generator) * 2
        y = (still.planes.y + grain).round().clamp(0, 255).to(torch.uint8)
        shown = transform.process(Frame(Planes(y, still.planes.u, still.planes.v), pts=number * 3600, color=still.color))
        brightness.append(float(shown.planes.y[300:420, 250:420].float().mean()))
    transform.close()
    fields = torch.stack(targets[16:])
    jitter = (fields - fields.mean(0)).square().sum(2).mean(0).sqrt()
    assert float(jitter.max()) < 0.3
    calm = torch.tensor(brightness[16:])
    assert float((calm - calm.mean()).abs().max() / calm.mean()) < 0.01


def test_the_same_sound_and_frames_give_the_same_pictures(store: Store) -> None:
    said, still = speech("rms"), man()
    runs: list[list[Planes]] = []
    for _ in range(2):
        transform = made(store, said.samples)
        runs.append([copied(transform.process(halved(still, n * 3600))) for n in range(8, 20)])
        transform.close()
    assert all(same(one, other) for one, other in zip(*runs, strict=True))


def test_a_slider_never_pops(store: Store) -> None:
    tone = (0.4 * np.sign(np.sin(np.arange(64_000) / 16_000 * 2 * np.pi * 120))).astype(np.float32)
    still, transform = man(), made(store, tone, strength=0.0)
    shown = [transform.process(halved(still, n * 3600)).planes.y.float() for n in range(20)]
    transform.update(LipsyncSettings(strength=1.5))
    shown += [transform.process(halved(still, n * 3600)).planes.y.float() for n in range(20, 40)]
    transform.close()
    steps = [float((after - before).abs().mean()) for before, after in pairwise(shown[15:])]
    whole = max(float((one - shown[19]).abs().mean()) for one in shown[20:])
    assert max(steps) <= 0.7 * whole


def test_the_largest_speaks_or_all(store: Store) -> None:
    group = next(frames(clip("multi_face")))
    said = speech("rms")
    changed: dict[str, Sequence[bool]] = {}
    for speaker in ("largest", "all"):
        transform = made(store, said.samples, speaker=speaker)
        out = Frame(copied(group))
        for number in range(16, 18):
            out = transform.process(copy_at(group, number * 3600))
        faces = transform.context.faces.track(copy_at(group, 18 * 3600)).faces
        moved = out.planes.y != group.planes.y
        places = [(int(face.landmarks[14, 0]), int(face.landmarks[14, 1])) for face in faces if abs(face.outline.turn) < 0.5]
        changed[speaker] = [bool(moved[y - 4 : y + 4, x - 4 : x + 4].any()) for x, y in places]
        transform.close()
    assert sum(changed["largest"]) == 1
    assert sum(changed["all"]) == len(changed["all"]) > 2


def test_when_one_face_fails_nothing_was_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def failing(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("broken")
        warp(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("transforms.faces.performance.warp", failing)
    frame = next(frames(clip("multi_face")))
    before = copied(frame)
    transform = made(store, speaker="all")
    with pytest.raises(RuntimeError, match="broken"):
        transform.process(frame)
    transform.close()
    assert same(frame.planes, before)
    assert not frame.changed


def test_a_face_that_leaves_and_one_that_is_cut(store: Store) -> None:
    said, transform = speech("rms"), made(store, speech("rms").samples)
    for number, frame in enumerate(frames(clip("face_noface"), 40)):
        out = transform.process(Frame(copied(frame), pts=number * 3600, color=frame.color))
        assert (out.width, out.height) == (frame.width, frame.height)
    transform.close()
    transform = made(store, said.samples)
    still = man()
    for number in range(20):
        planes = Planes(*(plane[:part] for plane, part in zip(still.planes, (360, 180, 180), strict=True)))
        transform.process(Frame(planes, pts=number * 3600, color=still.color))
    transform.close()


@pytest.mark.parametrize("step", [3, 6])
def test_small_pictures(store: Store, step: int) -> None:
    still, said = man(), speech("rms")
    transform = made(store, said.samples)
    y, u, v = (plane[: 570 if index == 0 else 285][::step, ::step] for index, plane in enumerate(still.planes))
    changed = False
    for number in range(20):
        frame = Frame(Planes(y, u, v), pts=number * 3600, color=still.color)
        changed |= transform.process(frame).changed
    transform.close()
    assert changed


def test_a_text_is_spoken_at_once(store: Store, referee: Witness) -> None:
    still = man()
    transform = made(store, source="text", text="Ah, papa! Ah, papa!")
    shown = openings(transform, lambda n: halved(still, 900_000 + n * 7200), 12, referee)
    transform.close()
    assert transform.sound_delay == 0
    assert shown.max() > 0.4


def test_a_file_is_spoken_too(store: Store, referee: Witness) -> None:
    still = man()
    made_file = io.BytesIO()
    with wave.open(made_file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes((speech("rms").samples * 32767).astype("<i2").tobytes())
    url = "data:audio/wav;base64," + base64.b64encode(made_file.getvalue()).decode()
    transform = made(store, source="file", file=url)
    shown = openings(transform, lambda n: halved(still, n * 7200), 16, referee)
    transform.close()
    assert shown.max() > 0.4


def tone_url(seconds: float = 1.0) -> str:
    """A WAV file of 1 kHz as a data URL."""
    made_file = io.BytesIO()
    with wave.open(made_file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        time = np.arange(round(seconds * 16_000)) / 16_000
        writer.writeframes((16_000 * np.sin(2 * np.pi * 1000 * time)).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(made_file.getvalue()).decode()


def voice_of(one: Lipsync | Chain) -> Voice | None:
    """It changes, which of an attribute no checker thinks."""
    return one.voice


def test_a_file_is_heard_from_the_first_picture_to_its_end(store: Store) -> None:
    transform = made(store, source="file", file=tone_url(1.0))
    assert voice_of(transform) is None
    transform.process(Frame(noise(64, 48).planes, pts=180_000, color=noise(64, 48).color))
    voice = transform.voice
    assert voice is not None
    assert voice.end == 3 * 48_000
    assert not voice.sound.window(2 * 48_000, 0.1).any()
    assert np.abs(voice.sound.window(2 * 48_000 + 9600, 0.1)).max() == pytest.approx(0.5, abs=0.01)
    unheard = LipsyncSettings.model_validate({"source": "file", "file": tone_url(1.0), "heard": False})
    assert transform.accepts(unheard)
    transform.update(unheard)
    assert voice_of(transform) is None
    transform.close()


def test_a_file_that_is_repeated_has_no_end(store: Store) -> None:
    transform = made(store, source="file", file=tone_url(0.2), repeat=True)
    transform.process(noise(64, 48))
    assert transform.voice is not None
    assert transform.voice.end is None
    transform.close()


def test_lips_follow_another_stream(store: Store, referee: Witness) -> None:
    """And it is heard, unless it is not to be."""
    said, still, asked = speech("rms"), man(), []
    played = Played(said.samples)

    def listen_to(name: str) -> Played:
        asked.append(name)
        return played

    settings = LipsyncSettings(source="stream", stream="radio-1")
    transform = Lipsync(settings, Context(CPU, store, Silence, listen_to))
    transform.prepare()
    count = int(said.seconds * FPS)
    measured, expected = at_100_hz(openings(transform, lambda n: halved(still, n * 3600), count, referee), said)
    assert correlation(measured, expected) >= 0.7
    assert asked == ["radio-1"]
    assert transform.voice is not None
    assert transform.voice.sound is played
    assert transform.sound_delay == LATENCY
    assert not transform.accepts(LipsyncSettings(source="stream", stream="radio-2"))
    transform.update(LipsyncSettings(source="stream", stream="radio-1", heard=False))
    assert voice_of(transform) is None
    assert not transform.sound_delay
    transform.close()
    assert played.closed == 1


def test_another_stream_is_refused_where_nobody_may_listen(store: Store) -> None:
    with pytest.raises(NotPrepared, match="allow_listening"):
        made(store, source="stream", stream="radio")


def test_the_last_voice_of_a_chain_is_heard(store: Store) -> None:
    chain = Chain(Context(CPU, store))
    steps = [("lipsync", {"source": "file", "file": tone_url(seconds)}) for seconds in (1.0, 2.0)]
    chain.swap(chain.prepare([Step.parse(*step) for step in [*steps, ("lipsync", {})]]))
    assert voice_of(chain) is None
    chain.process(noise(64, 48))
    assert chain.voice
    assert chain.voice.end == 2 * 48_000
    chain.swap(chain.prepare([]))
    chain.process(noise(64, 48))
    assert voice_of(chain) is None
    chain.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"source": "file"}, "no file to speak"),
        ({"source": "text", "text": " "}, "no text to read out"),
        ({"source": "stream"}, "no stream to listen to"),
    ],
)
def test_what_cannot_be_said_is_refused_in_words(store: Store, settings: dict[str, str], words: str) -> None:
    with pytest.raises(NotPrepared, match=words):
        made(store, None, **settings)


@pytest.mark.parametrize(
    "settings", [{"text": "a" * 501}, {"file": "data:audio/wav;base64,AAAA"}, {"file": "data:text/html,x"}, {"stream": "a/b"}]
)
def test_settings_are_checked(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"text|file|stream"):
        LipsyncSettings.model_validate(settings)


def test_another_voice_is_prepared_anew_and_nothing_else_is(store: Store) -> None:
    transform = made(store)
    assert transform.accepts(LipsyncSettings(strength=0.3, smoothing=80, speaker="all", text="not said", repeat=True))
    assert not transform.accepts(LipsyncSettings(source="text", text="said"))
    transform.close()


def test_the_chain_says_how_much_later_its_sound_is_to_be(store: Store) -> None:
    chain = Chain(Context(CPU, store))
    chain.swap(chain.prepare([Step.parse("lipsync", {})]))
    assert chain.sound_delay == 0
    chain.process(noise(64, 48))
    assert chain.sound_delay == LATENCY
    chain.swap(chain.prepare([]))
    chain.process(noise(64, 48))
    assert chain.sound_delay == 0
    chain.close()


def test_sentences_have_bilabials() -> None:
    assert sum(len(speech(voice).closures) for voice in SENTENCES) > 20
