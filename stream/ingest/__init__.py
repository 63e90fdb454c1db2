"""How pictures and sound come in: one file per protocol, behind ``Ingest``."""

from __future__ import annotations

from typing import Protocol


class Ingest(Protocol):
    """A publisher. What it receives it hands to the ``Publication`` that it was made with; this is what is asked of it."""

    protocol: str
    """Its name in reports: "loop", "whip", "rtmp", "file", ..."""

    @property
    def packets_lost(self) -> int:
        """So far; 0 where the protocol loses none."""

    @property
    def pictures_lost(self) -> int:
        """Times so far that pictures were lost with them, or could not be put together."""

    @property
    def round_trip(self) -> int | None:
        """ns; None where it is not known."""

    def request_keyframe(self) -> None:
        """Asks the publisher for a keyframe, if its protocol can. Called from any thread; returns at once."""

    async def close(self, reason: str) -> None:
        """Ends the publisher. Safe to call twice."""
