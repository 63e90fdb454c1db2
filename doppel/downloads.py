"""Tells in the log how far a download of weights has come: a server has no terminal for a progress bar."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

STEP = 10
"""Percent from one line of the log to the next."""


class DownloadLog:
    """What ``transforms.models.store.Report`` says, every so many percent. A store calls it from one thread at a time."""

    def __init__(self) -> None:
        self._told: tuple[str, int] = ("", 0)

    def __call__(self, model_id: str, done: int, total: int) -> None:
        percent = 100 * done // total // STEP * STEP if total else 0
        if (model_id, percent) == self._told:
            return
        self._told = (model_id, percent)
        logger.info("fetching the model %s: %d of %.1f MB", model_id, done // 1_000_000, total / 1e6)
