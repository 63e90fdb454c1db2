"""Samples of one track that wait to be written."""

from __future__ import annotations

from stream.fmp4.fragment import Run, Sample

FRAGMENT = 1
"""s of a track that make a fragment: what a crash loses, beside the newest sample and what was not taken yet; and short enough
for somebody who plays a file while it grows.
"""

LONGEST = 10
"""s between two samples that are said as the first one's duration. Beyond, the first ends as usual, and the next fragment says
when it begins, which comes to the same (ISO/IEC 14496-12 section 8.8.12), with a field that is long enough.
"""


class Track:
    """In order of time; the newest is held back until the next says how long it lasts."""

    def __init__(self, number: int, timescale: int, usual: int) -> None:
        """``usual`` is the duration of a sample after which none is known to come."""
        self.number = number
        self.timescale = timescale
        self.newest = -1
        """Time of the newest sample; -1 before the first."""
        self._usual = usual
        self._samples: list[Sample] = []

    def fits(self, time: int) -> bool:
        """Whether a sample of that time may be added: it must be later than all before."""
        return time > self.newest

    def leaps(self, time: int) -> bool:
        """Whether what waits is to be written before a sample of that time is added."""
        return bool(self._samples) and time - self.newest > LONGEST * self.timescale

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)
        self.newest = sample.time

    @property
    def full(self) -> bool:
        return bool(self._samples) and self.newest - self._samples[0].time >= FRAGMENT * self.timescale

    @property
    def seconds(self) -> float:
        """Of the newest sample."""
        return self.newest / self.timescale

    def take(self, *, everything: bool) -> Run | None:
        """What waits, but the newest sample unless ``everything``."""
        if not self._samples:
            return None
        if everything:
            taken, self._samples, end = self._samples, [], self.newest + self._usual
        else:
            taken, self._samples, end = self._samples[:-1], self._samples[-1:], self.newest
        return Run(self.number, taken, end) if taken else None
