"""The mouth of somebody whose sound is heard: poses for pictures, from a stream of sound.

speaker = Speaker(context.listen())          # in prepare()
speaker.hear(frame.pts, frame.time_base)     # in process(), first of all: recognises beside whatever comes before
pose = speaker.pose(frame.pts, frame.time_base)
moved(landmarks, pose_of(landmarks), pose.weights)
speaker.close()                              # in close()
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from transforms.audio import SAMPLE_RATE, STEP, Listener
from transforms.faces.blendshapes import NAMES
from transforms.speech.loudness import Loudness
from transforms.speech.recogniser import Recogniser
from transforms.speech.visemes import Articulation, articulations, blended

LOOKAHEAD = 0.12
"""s of sound after a moment that have to be heard to know its phone: with less it is often another's."""

ARRIVAL = 0.02
"""s by which sound may come later than the picture of the same time: a packet of Opus."""

LATENCY = LOOKAHEAD + ARRIVAL

CHUNK = SAMPLE_RATE // 50
"""Samples that are recognised at a time, 20 ms: some 1 ms of work, for which the interpreter is held."""

MOST_AT_ONCE = SAMPLE_RATE // 2
"""Samples that are caught up with in one frame: 25 ms of work. Where more is missing it begins afresh."""

LATE = SAMPLE_RATE // 5
"""Samples that are waited for, 0.2 s: sound that is not there yet is zeros, and so is what was lost."""

BEFORE = SAMPLE_RATE * 3 // 10
"""Samples before the present that are heard where it begins."""

PAUSE = 0.3
"""s of silence that end an utterance."""

NEAR = 0.3
"""s around a moment in which sounds have a say in its mouth."""

TAPS = 5
"""Moments over which a pose is averaged."""

OPENING = 0.06
"""s before the voice's first sound in which the mouth opens, and after its last in which it closes."""

HEARD = 0.15
"""Level of the voice from which the mouth speaks in full."""

QUIET_JAW, LOUD_JAW = 0.6, 1.1
"""How far the jaw opens in the quietest and in the loudest voice, by what a viseme has."""


_JAW = NAMES.index("jawOpen")


class MouthPose(NamedTuple):
    """Of one picture."""

    weights: list[float]
    """52 of ARKit's blendshapes in the order of ``faces.blendshapes.NAMES``, for a mouth that is closed and neutral at zero;
    only those of the jaw and the mouth are ever more than 0."""
    voice: float
    """How loud the voice is: 0 silent, 1 loud, over 0.1 s."""


class Speaker:
    """One voice's mouth. What it says depends on the sound and the frames' times alone, not on a clock.

    Used by one thread, the chain's; it has a thread of its own that recognises while the chain looks for faces.
    """

    def __init__(self, sound: Listener, known_ahead: float = 0.0) -> None:
        """Takes over the listener, and closes it in the end. ``known_ahead`` is in s: the sound after a frame that is known,
        which is all of a recording. Raises ValueError where there is no recogniser.
        """
        self.latency = max(0.0, LATENCY - known_ahead)
        """s by which the mouth comes after the sound of the same pts. The transform says so as its ``sound_delay``, and the
        stream holds its sound back."""
        self.smoothing = 0.04
        """s over which the mouth is averaged, around its moment; may be changed between frames."""
        self._ahead = LATENCY - self.latency
        self._sound = sound
        self._recogniser, self._loudness = Recogniser(), Loudness()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doppel-speech")
        self._work: Future[None] | None = None
        self._heard: int | None = None
        """Place after the last sample heard, 16 kHz."""
        self._silent = 0
        """Samples of silence at the end of what was heard."""
        self._said: list[Articulation] = []

    def hear(self, pts: int, time_base: Fraction) -> None:
        """Begins to listen to what there is for a frame; returns at once. Calling ``pose`` alone does the same, and waits."""
        self._settle()
        end = round((float(pts * time_base) + self._ahead - ARRIVAL) * SAMPLE_RATE) // CHUNK * CHUNK
        if self._heard is None or not 0 <= end - self._heard <= MOST_AT_ONCE:
            self._recogniser.pause()
            self._heard, self._silent = end - BEFORE // CHUNK * CHUNK, 0
        if end > self._heard:
            self._work = self._thread.submit(self._listen, self._heard, end)

    def pose(self, pts: int, time_base: Fraction) -> MouthPose:
        """The mouth of a frame: that of the sound ``latency`` before it. Frames come in order; after a jump it starts afresh."""
        if self._work is None:
            self.hear(pts, time_base)
        self._settle()
        now = float(pts * time_base) - self.latency
        taps = now + np.linspace(-0.5, 0.5, TAPS) * self.smoothing
        near = [each for each in self._said if each.end > taps[0] - NEAR and each.begin < taps[-1] + NEAR]
        shares = np.array([self._openness(float(tap)) for tap in taps])
        weights = blended(near, taps) * shares[:, :1]
        weights[:, _JAW] *= shares[:, 1]
        weights = weights.mean(0)
        return MouthPose(weights.tolist(), float(self._loudness.between(now - 0.05, now + 0.05).mean()))

    def close(self) -> None:
        """Lets go of the sound. Safe to call twice."""
        self._thread.shutdown()
        self._sound.close()

    def _openness(self, time: float) -> tuple[float, float]:
        """How much there is of a mouth that speaks, and how far its jaw opens."""
        level = self._loudness.between(time - OPENING, time + OPENING)
        middle = float(level[len(level) // 3 : -len(level) // 3].mean())
        return min(1.0, float(level.max()) / HEARD), QUIET_JAW + (LOUD_JAW - QUIET_JAW) * middle

    def _settle(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work.result()

    def _listen(self, begin: int, end: int) -> None:
        """In the thread of its own, while nobody else touches what it writes."""
        sound = self._sound.window(end * STEP, (end - begin) / SAMPLE_RATE)
        there = np.flatnonzero(sound)
        known = int(there[-1]) + 1 if len(there) else 0
        end = begin + max(known, len(sound) - LATE, 0) // CHUNK * CHUNK
        for place in range(begin, end, CHUNK):
            samples = sound[place - begin : place - begin + CHUNK]
            self._loudness.hear(place, samples)
            silent = not self._loudness.between(place / SAMPLE_RATE, (place + CHUNK) / SAMPLE_RATE).any()
            self._silent = self._silent + CHUNK if silent else 0
            if self._silent < PAUSE * SAMPLE_RATE:
                self._recogniser.hear(place, samples)
            else:
                self._recogniser.pause()
        self._heard = end
        self._said = articulations(self._recogniser.phones())
