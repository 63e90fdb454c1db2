"""What a line does to packets, and when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields

MAX_MS = 60_000.0
"""ms of delay, at most: beyond it, every protocol above has given up."""
MAX_STEPS = 10_000
"""Steps and drops of one script."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """A line in one direction. The default is a perfect one. Raises ValueError on what no line can be."""

    delay: float = 0.0
    """ms that every packet takes."""
    jitter: float = 0.0
    """ms more, evenly spread from 0 to this; packets stay in order all the same."""
    loss: float = 0.0
    """Share of packets, 0 to 1, each lost for itself."""
    bad_begins: float = 0.0
    """Gilbert-Elliott: chance, at each packet, that a good spell ends, ..."""
    bad_ends: float = 1.0
    """... and that a bad one does: it lasts 1 / this packets in the mean."""
    bad_loss: float = 1.0
    """Share of packets lost in a bad spell."""
    duplicate: float = 0.0
    """Share of packets that arrive twice."""
    reorder: float = 0.0
    """Share of packets that later ones may overtake, because they are held ..."""
    reorder_by: float = 0.0
    """... for so many ms more."""
    rate: int | None = None
    """bit/s that the line carries, IP and UDP headers included; None is no limit."""
    queue_ms: float | None = None
    """A packet that would wait longer than this for its turn is dropped; ..."""
    queue_bytes: int | None = None
    """... so is one that does not fit beside what is in the queue, the packet on its way out included. None is no limit."""

    def __post_init__(self) -> None:
        for name in ("loss", "bad_begins", "bad_ends", "bad_loss", "duplicate", "reorder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")
        for name in ("delay", "jitter", "reorder_by"):
            if not 0.0 <= getattr(self, name) <= MAX_MS:
                raise ValueError(f"{name} is from 0 to {MAX_MS:.0f} ms, not {getattr(self, name)}")
        if self.rate is not None and self.rate < 1000:
            raise ValueError("a line carries at least 1000 bit/s; one that is cut off has a loss of 1")
        if self.rate is None and (self.queue_ms is not None or self.queue_bytes is not None):
            raise ValueError("without a rate nothing ever waits in a queue")
        if (self.queue_ms or 0) < 0 or (self.queue_bytes or 0) < 0:
            raise ValueError("a queue has no negative depth")

    def __str__(self) -> str:
        changed = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return ", ".join(f"{name} {getattr(self, name):g}" for name in changed) or "clean"


@dataclass(frozen=True, slots=True)
class Script:
    """One direction of a line over time, in s from its first packet."""

    steps: Sequence[tuple[float, Impairment]] = ((0.0, Impairment()),)
    """When each impairment begins; the first at 0."""
    drops: Sequence[tuple[float, int]] = ()
    """From each time on, so many packets in a row are dropped."""

    def __post_init__(self) -> None:
        begins = [at for at, _ in self.steps]
        if not begins or begins[0] != 0.0 or begins != sorted(set(begins)):
            raise ValueError("a script's steps begin at 0 and follow each other")
        times = [at for at, _ in self.drops]
        if times != sorted(times) or any(at < 0 or count < 1 for at, count in self.drops):
            raise ValueError("a script's drops follow each other, each of one packet or more")
        if len(self.steps) + len(self.drops) > MAX_STEPS:
            raise ValueError(f"a script has at most {MAX_STEPS} steps and drops")

    def index(self, seconds: float) -> int:
        """Which step is in force at a time from 0 on."""
        return max(0, bisect_right(self.steps, seconds, key=lambda step: step[0]) - 1)


def steady(impairment: Impairment | None = None) -> Script:
    """A line that stays as it is."""
    return Script(((0.0, impairment or Impairment()),))
