"""32-bit milliseconds that wrap after 49.7 days, to ones that don't."""

from __future__ import annotations

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import MAX_TIME


class Unwrapper:
    """For picture and sound together: whatever is nearer to the last one, before or after it, is meant."""

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """ms, from the first time stamp on. Raises RtmpError, after 35 years or 512 jumps of the longest kind."""
        if self._last is None:
            self._last = timestamp
        else:
            self._last += (timestamp - self._last + (1 << 31)) % (1 << 32) - (1 << 31)
        if abs(self._last) > MAX_TIME:
            raise RtmpError("time stamps jump further than a stream can last")
        return self._last
