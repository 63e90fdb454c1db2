"""Whether the machine keeps up, and what all streams of the process give up together while it does not.

First the encoder takes a cheaper setting, then frames are left out before the chain: the same share of every stream's, evenly.

A stream whose own chain is slow says nothing of the machine: it gets fewer frames by itself, and the others lose nothing.
What counts is the time that frames spend waiting for a core, and codecs show that: they do nothing but compute, so the
wall time of their work, beyond its CPU time, went to somebody else. That holds whoever takes the cores, and within a
container's quota too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from types import TracebackType
from typing import NamedTuple

from stream.codec import Preset
from stream.limits import MILLISECOND, SECOND
from transforms.frame import Timeline

logger = logging.getLogger(__name__)

LATE = 33 * MILLISECOND
"""ns that a frame may spend in the codecs, their queues and on the way to the pacer while all frames are kept: an interval at
30 fps, and five times what it takes where a core is free. Of fewer frames each may take longer, as long as the interval grows:
where others take the cores, leaving out ever more would not make the rest punctual.
"""

STARVED = 1.5
"""Times its CPU time that codec work takes, from which cores are short."""

OVERLOADED = 0.1
"""Share of late frames from which something has to give."""

RELAXED = 0.05
"""Share of late frames up to which more may be tried."""

WINDOW = 400 * MILLISECOND
"""ns over which frames are counted: 12 of one stream at 30 fps."""

PERSISTENT = 4
"""Windows in a row that have to be overloaded before something gives. What else runs on a machine takes all of it now and then;
a moment of late frames is better than seconds with fewer.
"""

LEAST_FRAMES = 3
"""In a window, to call it overloaded: one late frame of one slow stream is no share."""

SETTLE = 500 * MILLISECOND
"""ns after a change that are not counted: what had queued up before leaves then, and a new encoder makes its keyframe."""

QUIET = 2 * SECOND
"""ns without any frame after which nothing is known any more, so that the next streams begin as on an idle machine."""

PATIENCE = 5 * SECOND
"""ns that the machine has to be relaxed before more is tried; each new encoder setting costs all streams a keyframe."""

MAX_PATIENCE = 60 * SECOND
"""ns: patience doubles up to this each time that more turned out to be too much."""

TRIAL = 10 * SECOND
"""ns that a step up has to last to have been right."""


class Level(NamedTuple):
    preset: Preset
    """x264's. For VP8 there is nothing cheaper than what it always uses."""
    share: Fraction
    """Of each stream's frames that are kept."""


LEVELS = (
    Level("superfast", Fraction(1)),
    Level("ultrafast", Fraction(1)),
    *(Level("ultrafast", share) for share in (Fraction(5, 6), Fraction(3, 4), Fraction(2, 3), Fraction(1, 2), Fraction(1, 3))),
)
"""From what an idle machine gives to the least: 10 fps of 30."""


class Load:
    """One for the process. Fed and asked from the threads of all pipelines, and from the event loop."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.level = 0
        """Place in LEVELS."""
        self._starvation = 1.0
        """Wall time of codec work through its CPU time, in the last window."""
        self._patience = PATIENCE
        self._raised: int | None = None
        """When more was tried last, until that proved right or wrong."""
        self._last_sent: int | None = None
        self._relaxed_since = 0
        self._overloaded = 0
        """Windows in a row."""
        self._limit = LATE
        """ns from which a frame is late on this level."""
        self._begin(clock())

    @property
    def preset(self) -> Preset:
        """x264's preset for all streams."""
        return LEVELS[self.level].preset

    @property
    def share(self) -> Fraction:
        """Of each stream's frames that are to be kept."""
        return LEVELS[self.level].share

    def worked(self, wall: int, cpu: int) -> None:
        """A codec was at work: ns by the clock, and of the thread's CPU time."""
        with self._lock:
            self._wall += wall
            self._cpu += cpu

    def chained(self, cpu: int) -> None:
        """A chain worked on a frame with so many ns of the thread's CPU time; what it waited for (a GPU, a sleep) is not in it.

        It counts as late where it would be in time if cores were free; one that never is has only itself to blame.
        """
        with self._lock:
            self._late += cpu <= self._limit < cpu * self._starvation

    def sent(self, timeline: Timeline) -> None:
        """A frame has left. What its chain took, and its wait for that, is not counted."""
        spent = timeline.decoded - timeline.received + timeline.sent - timeline.transformed
        now = self._clock()
        with self._lock:
            if self._last_sent is None or now - self._last_sent > QUIET:
                self._forget(now)
            self._last_sent = now
            if now < self._since:
                self._begin(self._since)
                return
            self._frames += 1
            self._late += spent > self._limit
            if now - self._since >= WINDOW:
                self._look(now)

    def _begin(self, since: int) -> None:
        """Counts from then on."""
        self._since = since
        self._frames = self._late = self._wall = self._cpu = 0

    def _forget(self, now: int) -> None:
        self._raised, self._patience, self._starvation, self._relaxed_since = None, PATIENCE, 1.0, now
        self._begin(now)
        self._go(0, now)

    def _look(self, now: int) -> None:
        """At the window that is over."""
        late, enough = self._late / self._frames, self._frames >= LEAST_FRAMES
        self._starvation = max(1.0, self._wall / self._cpu) if self._cpu else 1.0
        self._begin(now)
        if self._raised is not None and now - self._raised >= TRIAL:
            self._raised, self._patience = None, PATIENCE
        overloaded = late >= OVERLOADED and enough and self._starvation >= STARVED
        self._overloaded = self._overloaded + 1 if overloaded else 0
        if self._overloaded == PERSISTENT:
            if self._raised is not None:
                self._raised, self._patience = None, min(2 * self._patience, MAX_PATIENCE)
            self._go(self.level + 1, now)
        elif late > RELAXED:
            self._relaxed_since = now
        elif self.level and now - self._relaxed_since >= self._patience:
            self._raised = now
            self._go(self.level - 1, now)

    def _go(self, level: int, now: int) -> None:
        level = min(level, len(LEVELS) - 1)
        self._relaxed_since, self._overloaded = now, 0
        if level == self.level:
            return
        preset, share = LEVELS[level]
        logger.info(
            "the machine is %s: level %d, x264 %s, %s of all frames",
            "too busy" if level > self.level else "less busy",
            level,
            preset,
            share,
        )
        self.level, self._limit = level, int(LATE / share)
        self._begin(now + SETTLE)


class Work:
    """``with Work(load):`` around what a codec does in this thread."""

    __slots__ = ("_began", "_load", "_spent")

    def __init__(self, load: Load) -> None:
        self._load = load

    def __enter__(self) -> None:
        self._began, self._spent = time.monotonic_ns(), time.thread_time_ns()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._load.worked(time.monotonic_ns() - self._began, time.thread_time_ns() - self._spent)


class Thinning:
    """Keeps a share of one stream's frames, evenly; the first one too."""

    def __init__(self) -> None:
        self._credit = 1 - LEVELS[-1].share

    def admits(self, share: Fraction) -> bool:
        """Whether the next frame is kept."""
        self._credit += share
        if self._credit < 1:
            return False
        self._credit -= 1
        return True
