"""Notices when a stream begins to drop more frames than it may."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Seen:
    at: int
    drops: Mapping[str, int]
    over: bool = False


class DropAlarm:
    """Looks at the counts that streams report, from one look to the next."""

    def __init__(self, threshold: float) -> None:
        """``threshold``: drops a second."""
        self._threshold = threshold
        self._seen: dict[str, _Seen] = {}

    def look(self, stream: str, drops: Mapping[str, int], now: int) -> tuple[dict[str, int], float] | None:
        """What was dropped since the last look, by reason, and how many a second that is; None unless it became too much.

        ``now`` is monotonic ns.
        """
        before = self._seen.get(stream)
        self._seen[stream] = seen = _Seen(now, dict(drops))
        if before is None or now <= before.at:
            return None
        more = {reason: count - before.drops.get(reason, 0) for reason, count in drops.items()}
        more = {reason: count for reason, count in more.items() if count > 0}
        rate = sum(more.values()) * 1e9 / (now - before.at)
        seen.over = rate > self._threshold
        return (more, rate) if seen.over and not before.over else None

    def keep(self, streams: Collection[str]) -> None:
        """Forgets all others."""
        self._seen = {name: seen for name, seen in self._seen.items() if name in streams}
