"""What comes in, for whoever reads it late: the newest wins, and nothing piles up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """A queue that forgets the oldest when it is full. Lives on the event loop."""

    def __init__(self, length: int) -> None:
        self._waiting: deque[T] = deque(maxlen=length)
        self._more = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None
        self.received = 0
        self.dropped = 0
        """Of those, forgotten before anybody read them."""

    def put(self, item: T) -> None:
        self.received += 1
        self.dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(item)
        self._more.set()

    def close(self, error: Exception | None = None) -> None:
        """Ends all iterators, with ``error`` if there is one. What waits is still read."""
        self._closed, self._error = True, error
        self._more.set()

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                break
            self._more.clear()
            await self._more.wait()
        if self._error is not None:
            raise self._error
