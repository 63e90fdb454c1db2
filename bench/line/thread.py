"""A relay for those who have no event loop of their own to run it on, such as a test that waits for a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bench.line.line import Counts
from bench.line.relay import Relay
from bench.line.script import Script

T = TypeVar("T")

ANSWER_TIMEOUT = 5.0
"""s for the relay's loop to do what it is asked; it does nothing else but pass packets on."""


class RelayThread:
    """A relay on an event loop of its own; its calls may come from any other thread."""

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop) -> None:
        self._relay = relay
        self._loop = loop

    def offer(self, sdp: str) -> str:
        """As ``Relay.offer``."""
        return self._there(lambda: self._relay.offer(sdp))

    def answer(self, sdp: str) -> str:
        """As ``Relay.answer``."""
        return self._there(lambda: self._relay.answer(sdp))

    def drop_next(self, up: int = 0, down: int = 0) -> None:
        """Drops so many of the packets that follow in each direction."""

        def drop() -> None:
            self._relay.up.drop_next(up)
            self._relay.down.drop_next(down)

        self._there(drop)

    @property
    def counts(self) -> tuple[Counts, Counts]:
        """Up and down; they go on counting while the relay runs."""
        return self._relay.up.counts, self._relay.down.counts

    def _there(self, call: Callable[[], T]) -> T:
        async def answer() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(ANSWER_TIMEOUT)


@contextmanager
def running(up: Script | None = None, down: Script | None = None, seed: int = 0) -> Iterator[RelayThread]:
    """Opens a relay in a thread, and closes it afterwards."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="bench-relay", daemon=True)
    thread.start()
    try:
        relay = asyncio.run_coroutine_threadsafe(Relay.open(up, down, seed), loop).result(ANSWER_TIMEOUT)
        try:
            yield RelayThread(relay, loop)
        finally:
            asyncio.run_coroutine_threadsafe(_close(relay), loop).result(ANSWER_TIMEOUT)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(ANSWER_TIMEOUT)
        loop.close()


async def _close(relay: Relay) -> None:
    relay.close()
    await asyncio.sleep(0)  # the sockets close in the loop's next turn
