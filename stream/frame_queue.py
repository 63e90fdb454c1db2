"""The two bounded queues of a pipeline. Both are emptied by one thread, filled by any, and count what they drop."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from stream.limits import PICTURE_QUEUE
from stream.picture import EncodedPicture

T = TypeVar("T")


class Drops:
    """Frames dropped, by reason; counted from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, reason: str, count: int = 1) -> None:
        if not count:
            return
        with self._lock:
            self._counts[reason] += count

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class NewestSlot(Generic[T]):
    """Holds the newest: a new one replaces the old, which is dropped. Decoded frames depend on nothing, so any may go.

    Who takes them in time may be held up once without losing any: a second one waits as well then, and no other does before
    the taker has caught up. Who is too slow for good never does, and gets the newest only.
    """

    def __init__(self, drops: Drops, reason: str) -> None:
        self._drops = drops
        self._reason = reason
        self._condition = threading.Condition()
        self._items: deque[T] = deque(maxlen=2)
        self._in_time = False
        self._closed = False

    def put(self, item: T) -> None:
        dropped = 0
        with self._condition:
            if self._closed:
                return
            if self._items and not self._in_time:
                dropped = len(self._items)
                self._items.clear()
            elif self._items:
                self._in_time = False
            self._items.append(item)
            self._condition.notify()
        if dropped:
            self._drops.add(self._reason, dropped)

    def get(self) -> T | None:
        """Waits for the next; None after ``close``."""
        with self._condition:
            while not self._items and not self._closed:
                self._in_time = True
                self._condition.wait()
            return self._items.popleft() if self._items else None

    def close(self) -> None:
        """Wakes whoever waits; what lies in it is let go."""
        with self._condition:
            self._closed = True
            self._items.clear()
            self._condition.notify_all()


class PictureQueue:
    """Encoded pictures on the way to the decoder. They depend on each other, so when it is full everything up to the
    next keyframe is dropped, and a keyframe is asked for; the same after ``await_keyframe``.
    """

    def __init__(self, drops: Drops, on_keyframe_needed: Callable[[], None], length: int = PICTURE_QUEUE) -> None:
        self._drops = drops
        self._on_keyframe_needed = on_keyframe_needed
        self._length = length
        self._condition = threading.Condition()
        self._pictures: deque[EncodedPicture] = deque(maxlen=length)
        self._waiting = False
        self._closed = False
        self._publishers = 0
        self.publisher = 0
        """Of the picture that ``get`` returned last; goes up with each ``begin``."""

    def begin(self) -> None:
        """Another publisher: what waits is let go, and nothing taken up to its first keyframe."""
        with self._condition:
            lost = len(self._pictures)
            self._pictures.clear()
            self._waiting = True
            self._publishers += 1
        if lost:
            self._drops.add("taken_over", lost)

    def put(self, picture: EncodedPicture) -> None:
        lost, needed = 0, False
        with self._condition:
            if self._closed:
                return
            if picture.keyframe:
                # Whatever still waits is older than a picture that needs none of it.
                lost = len(self._pictures)
                self._pictures.clear()
                self._waiting = False
            elif self._waiting or len(self._pictures) == self._length:
                lost = len(self._pictures) + 1
                self._pictures.clear()
                self._waiting = needed = True
            if not self._waiting:
                self._pictures.append(picture)
                self._condition.notify()
        if lost:
            self._drops.add("decoder_behind", lost)
        if needed:
            self._on_keyframe_needed()

    def await_keyframe(self) -> None:
        """The decoder lost its references: what depends on them is dropped, and a keyframe asked for."""
        with self._condition:
            # A keyframe clears the queue, so that one can only be at its head.
            lost = 0
            if not self._closed and not (self._pictures and self._pictures[0].keyframe):
                lost = len(self._pictures)
                self._pictures.clear()
                self._waiting = True
        if lost:
            self._drops.add("decoder_behind", lost)
        self._on_keyframe_needed()

    def get(self) -> EncodedPicture | None:
        """Waits for the next; None after ``close``."""
        with self._condition:
            while not self._pictures and not self._closed:
                self._condition.wait()
            self.publisher = self._publishers
            return None if self._closed else self._pictures.popleft()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._pictures.clear()
            self._condition.notify_all()
