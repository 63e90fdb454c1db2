"""Moves mouths by sound: the publisher's own, another stream's, a file's, or that of a text read out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from pydantic import Field, field_validator

from transforms.audio import STREAM_RATE, Listener, Voice
from transforms.base import Settings, Transform
from transforms.context import Context
from transforms.errors import NotPrepared
from transforms.faces.face import Face
from transforms.faces.mesh import VERTICES
from transforms.faces.performance import MARGIN, Lighting, perform
from transforms.faces.pose import pose_of
from transforms.faces.regions import FACE_OVAL
from transforms.faces.resting import RestingMouth
from transforms.faces.shapes import moved
from transforms.frame import Frame
from transforms.packages.easing import Clock, eased
from transforms.speech.mouth_shape import LATENCY, MouthPose, Speaker
from transforms.speech.recording import MAX_FILE, PATTERN, Recording, decode_url, read_wave
from transforms.speech.synthesis import LONGEST_TEXT, spoken

MEMORY = 1.0
"""Seconds for which a lost face is remembered, as the tracker does."""

NOTHING = 1e-3
"""Share below which a face is left as it is."""

PROFILE = 0.7, 0.95
"""``Outline.turn`` between which the mouth goes back to the live one: of a profile half the mesh is guessed."""

LARGER = 1.3
"""By which another face has to be larger to take over from the one that speaks: two of a size must not take turns."""

SETTLE = 2.5
"""How far the skin below a chin gives way, by how far the chin moves: less, and it would show folds."""

WIDEST = 6.0
"""cm that it does at most."""

NAME = r"^[A-Za-z0-9_-]{0,64}$"
"""Of a stream; empty for none."""

KNOWN = LATENCY + 0.1
"""s of a recording that are looked at before they are due: it is all there."""


class LipsyncSettings(Settings):
    source: Literal["own", "stream", "text", "file"] = Field(
        default="own",
        title="Voice",
        description="Whose voice moves the lips: the publisher's own, another stream's, a text that is read out, or a file's.",
    )
    stream: str = Field(
        default="",
        pattern=NAME,
        title="Stream",
        description="Whose sound it is when the voice is another stream's; the server has to allow listening.",
    )
    text: str = Field(
        default="",
        max_length=LONGEST_TEXT,
        title="Text",
        description="What is said when the voice is a text; it needs espeak-ng or flite where doppel runs.",
    )
    file: str = Field(
        default="",
        max_length=MAX_FILE,
        pattern=PATTERN,
        title="File",
        description="What is said when the voice is a file: a WAV file of PCM as a data URL, up to 512 kB.",
        json_schema_extra={"contentMediaType": "audio/wav"},
    )
    heard: bool = Field(
        default=True, title="Heard", description="Whether such a voice is heard in place of the publisher's sound."
    )
    repeat: bool = Field(default=False, title="Repeat", description="Says a text or a file again and again, after a second.")
    strength: float = Field(
        default=1.0,
        ge=0.0,
        le=1.5,
        title="Strength",
        description="How far the mouth moves: 0 keeps it closed, more than 1 exaggerates.",
    )
    smoothing: float = Field(
        default=40.0,
        ge=0.0,
        le=150.0,
        title="Smoothing",
        description="Over how long the mouth is averaged: more mumbles, less chatters.",
        json_schema_extra={"unit": "ms"},
    )
    speaker: Literal["largest", "all"] = Field(
        default="largest", title="Who speaks", description="The largest face alone, or all faces together."
    )

    @field_validator("file")
    @classmethod
    def _readable(cls, url: str) -> str:
        if url:
            read_wave(decode_url(url))
        return url


@dataclass(slots=True, eq=False)
class _Known:
    """A face that was seen of late; times in s of the stream."""

    seen: float
    share: float
    """How much of the spoken mouth it shows."""
    rest: RestingMouth = field(default_factory=RestingMouth)
    lighting: Lighting = field(default_factory=Lighting)


class Lipsync(Transform[LipsyncSettings]):
    title = "Lip-sync"
    summary = "Moves lips by a voice: the publisher's own, another stream's, a text's or a file's; the live mouth is taken away."
    settings_type = LipsyncSettings

    def __init__(self, settings: LipsyncSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._speaker: Speaker | None = None
        self._recording: Recording | None = None
        self._voice: Listener | None = None
        """Where it is not the publisher's own."""
        self._known: dict[int, _Known] = {}
        self._speaks: int | None = None
        """Id of the face that does, where only the largest shall."""
        self._clock = Clock()
        self._begun = False
        self._strength = settings.strength

    @property
    def sound_delay(self) -> float:
        source, heard = self.settings.source, self.settings.heard
        return LATENCY if source == "own" or (source == "stream" and heard) else 0.0

    @property
    def voice(self) -> Voice | None:
        if self._voice is None or not self.settings.heard:
            return None
        if self._recording is None:
            return Voice(self._voice)
        return Voice(self._recording, self._recording.end) if self._recording.begun else None

    def prepare(self) -> None:
        _ = self.context.faces
        if self.settings.source == "own":
            self._speaker = _speaker(self.context.listen())
        elif self.settings.source == "stream":
            if not self.settings.stream:
                raise NotPrepared("there is no stream to listen to; name one, or choose another voice")
            self._voice = self.context.listen(self.settings.stream)
            self._speaker = _speaker(self._voice)
        else:
            if self.settings.source == "text":
                samples = spoken(self.settings.text)
            elif self.settings.file:
                samples = read_wave(decode_url(self.settings.file))
            else:
                raise NotPrepared("there is no file to speak; send a WAV file as a data URL, or choose another voice")
            self._voice = self._recording = Recording(samples, 1.0 if self.settings.repeat else None)
            self._speaker = _speaker(self._recording, KNOWN)

    def accepts(self, settings: LipsyncSettings) -> bool:
        def voice(of: LipsyncSettings) -> tuple[str, str, bool]:
            if of.source in ("own", "stream"):
                return of.source, of.stream if of.source == "stream" else "", False
            return of.source, of.text if of.source == "text" else of.file, of.repeat

        return voice(settings) == voice(self.settings)

    def process(self, frame: Frame) -> Frame:
        speaker = self._speaker
        if speaker is None:
            raise RuntimeError("prepare comes first")
        now = float(frame.pts * frame.time_base)
        if self._recording is not None and not self._begun:
            self._recording.begin(round(now * STREAM_RATE))
        # Heard in a thread of its own while faces are looked for here.
        speaker.smoothing = self.settings.smoothing / 1000
        speaker.hear(frame.pts, frame.time_base)
        faces = self.context.faces.track(frame).faces
        elapsed = self._clock(frame)
        self._strength = eased(self._strength, self.settings.strength, elapsed)
        self._remember(faces, now, elapsed)
        self._begun = True
        pose = speaker.pose(frame.pts, frame.time_base)
        # A picture of its own until all faces are done: when one fails, nothing was written.
        work = frame.again(frame.pts)
        for face in faces:
            self._show(work, face, pose, now)
        if work.changed:
            frame.replace(work.planes)
        return frame

    def close(self) -> None:
        if self._speaker is not None:
            self._speaker.close()
            self._speaker = None

    def _remember(self, faces: tuple[Face, ...], now: float, elapsed: float) -> None:
        """Who is here at the beginning speaks at once, and else it is eased."""
        speaks = self._chosen(faces)
        for face in faces:
            goal = float(face.id in speaks)
            if face.id not in self._known:
                self._known[face.id] = _Known(now, 0.0 if self._begun else goal)
            known = self._known[face.id]
            known.seen, known.share = now, eased(known.share, goal, elapsed)
        self._known = {key: known for key, known in self._known.items() if 0 <= now - known.seen <= MEMORY}

    def _chosen(self, faces: tuple[Face, ...]) -> set[int]:
        if self.settings.speaker == "all" or not faces:
            return {face.id for face in faces}
        largest = max(faces, key=lambda face: face.box.side)
        before = next((face for face in faces if face.id == self._speaks), None)
        if before is None or largest.box.side > LARGER * before.box.side:
            self._speaks = largest.id
        return {self._speaks} if self._speaks is not None else set()

    def _show(self, frame: Frame, face: Face, said: MouthPose, now: float) -> None:
        known = self._known[face.id]
        start, end = PROFILE
        share = known.share * min(1.0, max(0.0, (end - abs(face.outline.turn)) / (end - start)))
        landmarks, pose = face.landmarks, pose_of(face.landmarks)
        resting = known.rest.placed(landmarks, pose, now)
        if share < NOTHING:
            return
        weights = [weight * self._strength for weight in said.weights]
        target = torch.lerp(landmarks[:VERTICES], moved(resting, pose, weights), share)
        rim = list(FACE_OVAL)
        settle = SETTLE * float((target[rim, :2] - landmarks[rim, :2]).norm(dim=1).max()) / max(pose.scale, NOTHING)
        margin = min(WIDEST, max(MARGIN, settle))
        still = landmarks.new_zeros((2, 3))
        # Half-way to the live mouth its own inside comes back.
        source, line = (known.rest.trimmed(landmarks, pose), known.rest.line(resting, pose)) if share > 0.5 else (landmarks, None)
        perform(frame, source, target, still, pose, known.lighting, now, margin, line)


def _speaker(sound: Listener, known_ahead: float = 0.0) -> Speaker:
    try:
        return Speaker(sound, known_ahead)
    except ValueError:
        sound.close()
        raise
