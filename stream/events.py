"""What happens to streams, told to whoever watches over all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

MAX_OBSERVERS = 8
"""Parts of the server that are told: each is called with every event."""

Happening = Literal["opened", "published", "lost", "returned", "changed", "refused", "ended"]
"""opened: the name is taken; published: the first packet is there; lost: the publisher is away, and viewers are kept;
returned: it is back, or another took over; changed: its chain, or where else it goes; refused: somebody may not publish or
watch it, and it need not exist; ended: the name is free."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    stream: str
    happening: Happening
    reason: str = ""
    """A part of a sentence; empty where the happening says it all."""


Observer = Callable[[StreamEvent], None]
"""Called on the event loop, in the middle of things: it notes what it is told, returns at once, and never raises."""


class Observers:
    """Those who are told."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def add(self, observer: Observer) -> None:
        """For as long as the streams live."""
        assert len(self._observers) < MAX_OBSERVERS
        self._observers.append(observer)

    def __call__(self, event: StreamEvent) -> None:
        for observer in self._observers:
            observer(event)
