"""A loop's timers on a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stream.limits import SECOND


@dataclass(eq=False)
class Timer:
    due: int
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Clock:
    now: int = 5 * SECOND
    timers: list[Timer] = field(default_factory=list)
    most: int = 0
    """Timers that waited at once."""

    def __call__(self) -> int:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        timer = Timer(self.now + round(delay * SECOND), call)
        self.timers = [*self.waiting, timer]
        self.most = max(self.most, len(self.timers))
        return timer

    @property
    def waiting(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def run(self, until: int) -> None:
        while due := [timer for timer in self.waiting if timer.due <= until]:
            timer = min(due, key=lambda timer: timer.due)
            timer.cancelled = True
            self.now = max(self.now, timer.due)
            timer.call()
        self.now = until
