"""Speech whose every sound is known: flite says it, and when each phone ends."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.audio import SAMPLE_RATE, STEP, Recent
from transforms.speech.recording import read_wave
from transforms.speech.visemes import VISEMES, Articulation, Phone, articulations

LEAD, TAIL = 0.3, 0.5
"""s of silence before and after."""

SENTENCES = {
    "rms": "My mother bought a big map of Bombay.",
    "awb": "Peter Piper picked a pepper before breakfast.",
    "slt": "Please bring the blue umbrella back home by Monday morning.",
}

OPENINGS = {
    "sil": 0.0,
    "PP": 0.0,
    "FF": 0.15,
    "TH": 0.4,
    "DD": 0.35,
    "kk": 0.4,
    "CH": 0.35,
    "SS": 0.3,
    "nn": 0.35,
    "RR": 0.45,
    "aa": 1.0,
    "E": 0.75,
    "ih": 0.5,
    "oh": 0.9,
    "ou": 0.35,
}
"""How far lips are apart in each viseme, by how far they are in the widest."""

SMOOTH = 13
"""10 ms each: over which a mouth goes from one to the next."""


class Speech(NamedTuple):
    samples: NDArray[np.float32]
    """16 kHz."""
    phones: list[Phone]

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def said(self) -> list[Articulation]:
        return articulations(self.phones)

    def opening(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the lips ought to be apart at times in s, 0 to 1."""
        names = {id(viseme): name for name, viseme in VISEMES.items()}
        steps = np.zeros(round(self.seconds * 100) + 1)
        for begin, end, viseme in self.said:
            steps[round(begin * 100) : round(end * 100)] = OPENINGS[names[id(viseme)]]
        bell = np.hanning(SMOOTH)
        smooth = np.convolve(steps, bell / bell.sum(), "same")
        return np.interp(times, np.arange(len(smooth)) / 100, smooth)

    @property
    def closures(self) -> list[tuple[float, float]]:
        """When m, b and p are said, s."""
        return [(begin, end) for begin, end, name in self.phones if name in ("M", "B", "P")]


@cache
def speech(voice: str) -> Speech:
    with TemporaryDirectory() as folder:
        sound = Path(folder, "said.wav")
        command = ["flite", "-voice", voice, "-psdur", "-t", SENTENCES[voice], "-o", str(sound)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        samples = read_wave(sound.read_bytes())
    silence = np.zeros(round(LEAD * SAMPLE_RATE), np.float32), np.zeros(round(TAIL * SAMPLE_RATE), np.float32)
    phones, begin = [], LEAD
    for word in told.split():
        name, end = word.split(":")
        phones.append(Phone(begin, LEAD + float(end), name.upper()))
        begin = LEAD + float(end)
    return Speech(np.concatenate((silence[0], samples, silence[1])), phones)


class Played:
    """A ``Listener`` of a stream in which speech is all there is."""

    def __init__(self, samples: NDArray[np.float32], begin: float = 0.0) -> None:
        self._recent = Recent(len(samples) / SAMPLE_RATE + 1)
        self._recent.write(round(begin * SAMPLE_RATE) * STEP, samples)
        self.closed = 0

    def window(self, end: int, seconds: float) -> NDArray[np.float32]:
        return self._recent.window(end, seconds)

    def close(self) -> None:
        self.closed += 1


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def lag(late: NDArray[np.float64], early: NDArray[np.float64], most: int = 20) -> int:
    """By how many samples the first comes after the second: where they fit best."""

    def fit(by: int) -> float:
        shifted = late[by:] if by >= 0 else late[:by]
        rest = early[: len(early) - by] if by >= 0 else early[-by:]
        return correlation(shifted, rest)

    return max(range(-most, most + 1), key=fit)
