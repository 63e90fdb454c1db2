"""Phones heard in sound as it comes, by pocketsphinx with the acoustic model that its wheel brings (BSD)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transforms.audio import SAMPLE_RATE
from transforms.speech.visemes import Phone

FRAME = SAMPLE_RATE // 100
"""Samples of the recogniser's frames: 10 ms."""

BEAM = 1e-20
"""Hypotheses this much worse than the best are given up: wider ones find no more, at twice the cost."""

LANGUAGE_WEIGHT = 1.0
"""Of what usually follows what, against what is heard: with more, lips that close are missed."""

MEANS = "44,5,2,8,1,0,0,0,0,0,0,0,0"
"""Cepstral means that are taken away before any are known: about those of a near voice."""

ADAPTING = SAMPLE_RATE // 2
"""Samples, 0.5 s, between two new estimates of those means: a voice that begins is soon heard as well as one that is known."""

LONGEST = 10 * SAMPLE_RATE
"""Samples of one utterance: looking through its hypotheses costs more the longer it is."""

AGAIN = SAMPLE_RATE * 2 // 5
"""Samples that the next utterance hears again, 0.4 s: a phone is not heard right without what came before it."""

SETTLING = SAMPLE_RATE // 5
"""Samples of those, 0.2 s, for which the utterance before is believed."""

MEMORY = 1.0
"""s for which phones are remembered."""


class Recogniser:
    """One voice's. Used by one thread. Times count from the zero of the samples' places."""

    def __init__(self) -> None:
        """Loads the model: some 20 ms. Raises ValueError where pocketsphinx is not installed."""
        try:
            # Here and not above: whoever only looks at the library of transforms needs no recogniser.
            sphinx: Any = importlib.import_module("pocketsphinx")
        except ImportError as error:
            raise ValueError("lips cannot follow sound here: install pocketsphinx (pip install pocketsphinx)") from error
        model = Path(sphinx.__file__).parent / "model" / "en-us"
        config = sphinx.Config(
            hmm=str(model / "en-us"),
            allphone=str(model / "en-us-phone.lm.bin"),
            lm=None,
            dict=None,
            beam=BEAM,
            pbeam=BEAM,
            lw=LANGUAGE_WEIGHT,
            cmninit=MEANS,
            loglevel="FATAL",
        )
        self._decoder = sphinx.Decoder(config)
        self._begin = 0
        """Place of the utterance's first sample."""
        self._trusted = 0
        """Place from which the utterance is believed, and not the one before."""
        self._end: int | None = None
        """Place after the last sample heard; None outside of an utterance."""
        self._adapted = 0
        """Place at which the means were estimated last."""
        self._before: list[Phone] = []
        """Phones of earlier utterances."""
        self._recent = np.zeros(0, np.int16)

    def hear(self, begin: int, samples: NDArray[np.float32]) -> None:
        """Takes samples, -1 to 1, the first of which is at a place (16 kHz). What does not follow begins an utterance."""
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
        if self._end is not None and begin != self._end:
            self.pause()
        if self._end is None:
            self._start(begin, begin)
        elif self._end - self._begin >= LONGEST:
            again, end = self._recent, self._end
            self._keep(end - SETTLING)
            self._decoder.end_utt()
            self._start(end - len(again), end - SETTLING)
            self._decoder.process_raw(again.tobytes(), False, False)
        self._decoder.process_raw(pcm.tobytes(), False, False)
        self._end = begin + len(pcm)
        if self._end - self._adapted >= ADAPTING:
            self._decoder.get_cmn(True)
            self._adapted = self._end
        self._recent = np.concatenate((self._recent, pcm))[-AGAIN:]

    def pause(self) -> None:
        """Nobody speaks any more, or time jumps: the utterance is over."""
        if self._end is not None:
            self._decoder.end_utt()
            self._keep(self._end)
            self._end = None

    def phones(self) -> list[Phone]:
        """What was said of late, in order; the last of it may still change."""
        return self._before + self._heard()

    def _start(self, begin: int, trusted: int) -> None:
        self._decoder.start_utt()
        self._begin, self._trusted, self._end = begin, trusted, begin
        self._adapted = begin
        self._recent = np.zeros(0, np.int16)

    def _heard(self) -> list[Phone]:
        """Of this utterance."""
        if self._end is None:
            return []
        found = []
        first, begin = self._trusted / SAMPLE_RATE, self._begin / SAMPLE_RATE
        for segment in self._decoder.seg() or ():
            start, end = begin + segment.start_frame / 100, begin + (segment.end_frame + 1) / 100
            if end > first:
                found.append(Phone(max(start, first), end, segment.word))
        return found

    def _keep(self, end: int) -> None:
        """Remembers what the utterance heard up to a place."""
        last = end / SAMPLE_RATE
        heard = [Phone(begin, min(to, last), name) for begin, to, name in self.phones() if begin < last]
        self._before = [phone for phone in heard if last - phone.end < MEMORY]
