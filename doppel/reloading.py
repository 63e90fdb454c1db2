"""Files that may change while the server runs: looked at now and then, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

INTERVAL = 2.0
"""s between two looks: a key that is taken back is no longer good soon after, and a look is a handful of stat calls."""


class Reloader:
    """Calls these again and again until it is closed."""

    def __init__(self, reload: Sequence[Callable[[], bool]], interval: float = INTERVAL) -> None:
        """They block, and say whether anything was new."""
        self._reload = reload
        self._interval = interval
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._reload:
            self._task = asyncio.create_task(self._run(), name="doppel-reloader")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            for reload in self._reload:
                try:
                    await asyncio.to_thread(reload)
                except Exception:  # the boundary: a key that is taken back later must be no longer good all the same
                    logger.exception("files could not be read again; what was read before counts")
