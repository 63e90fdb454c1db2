"""Requests that nobody can read: aiohttp would write a traceback for each, and anybody can send any number of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

from transforms.complaint import Complaint


class RequestLogger(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp's server writes to; of malformed requests a line a second, with a count and without what was sent."""

    def __init__(self, clock: Callable[[], int] = monotonic_ns) -> None:
        """``clock`` is in monotonic ns."""
        super().__init__(server_logger)
        self._malformed = Complaint(logging.getLogger(__name__), clock)

    def exception(self, msg: object, *args: object, **options: Any) -> None:
        error = options.get("exc_info")
        if isinstance(error, HttpProcessingError):
            self._malformed("a request could not be read: %s, from %s", type(error).__name__, *args)
        else:
            super().exception(msg, *args, **options)
