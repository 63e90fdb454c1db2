"""Watches the event loop: how late it is, and what held it."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from stream.limits import LOOP_BEAT, LOOP_HELD, MILLISECOND, SECOND
from stream.metrics import Metrics
from transforms.complaint import Complaint
from transforms.window import Window

logger = logging.getLogger(__name__)


class LoopWatch:
    """A heartbeat on the loop, and a thread that looks at the loop's stack when one is late.

    Whoever blocks the loop delays every packet of every stream, so they are named. The heart wakes nobody: the thread looks
    by itself when one should have been, since to wake it 50 times a second would cost as much as a stream's packets do.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._metrics = metrics
        self._clock = clock
        self._complaint = Complaint(logger, clock)
        self.lag = Window()
        """How late the last beats were."""
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._running = threading.Lock()
        """Held until ``stop``: of all that can be waited for with a timeout, a lock is the cheapest."""
        self._due = 0
        """When the next beat is to be."""
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._watch, name="doppel-loop-watch", daemon=True)

    def start(self) -> None:
        """On the loop."""
        self._running.acquire()
        self._due = self._clock()
        self._on_beat()
        self._thread.start()

    def stop(self) -> None:
        """On the loop; the thread has ended when this returns."""
        if self._timer is not None:
            self._timer.cancel()
        self._running.release()
        self._thread.join()

    def _on_beat(self) -> None:
        now = self._clock()
        late = max(0, now - self._due)
        self._metrics.loop_lag.observe(late / SECOND)
        self.lag.add(late)
        self._due = now + LOOP_BEAT
        self._timer = self._loop.call_later(LOOP_BEAT / SECOND, self._on_beat)

    def _watch(self) -> None:
        pause = LOOP_BEAT + LOOP_HELD
        while not self._running.acquire(timeout=pause / SECOND):
            due = self._due
            pause = due + LOOP_HELD - self._clock()
            if pause > 0:
                continue
            where = holder(sys._current_frames().get(self._thread_id))
            stopped = False
            while self._due == due and not stopped:
                stopped = self._running.acquire(timeout=LOOP_HELD / SECOND)
            if where is not None:
                held = (self._clock() - due) / MILLISECOND
                self._complaint("the event loop was held for about %.0f ms by %s", held, where)
            if stopped:
                return
            pause = LOOP_BEAT


def holder(frame: FrameType | None) -> str | None:
    """The function that runs on the loop, and the line it is at; None where none does, so that the machine is what is late."""
    innermost = frame
    while frame is not None:
        if frame.f_code.co_filename.endswith(("asyncio/runners.py", "asyncio/base_events.py", "asyncio/events.py")):
            break
        outermost, frame = frame, frame.f_back
    else:
        return None
    if innermost is None or innermost is frame:
        return None
    return (
        f"{outermost.f_code.co_qualname} ({innermost.f_code.co_filename}:{innermost.f_lineno} in {innermost.f_code.co_qualname})"
    )
