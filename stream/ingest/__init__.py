"""How pictures come in: one file per protocol, behind ``Ingest``."""

from __future__ import annotations

from typing import Protocol


class Ingest(Protocol):
    """A publisher. What it receives it puts into the queue that it was made with; this is what is asked of it."""

    protocol: str
    """Its name in reports: "loop", "whip", "rtmp"."""

    def request_keyframe(self) -> None:
        """Asks the publisher for a keyframe, if its protocol can. Called from any thread; returns at once."""

    async def close(self, reason: str) -> None:
        """Ends the publisher. Safe to call twice."""
