"""What the line carries, from the times when it was busy: a stream that pauses between its pictures says by its mean only
what it sends, but by the pace at which a picture's packets come out, what the line can do.
"""

from __future__ import annotations

from collections import deque

from stream.limits import MILLISECOND, SECOND

SPAN = 30 * MILLISECOND
"""ns of arrivals that are measured at least: shorter ones show the receiver's scheduling."""

WINDOW = 300 * MILLISECOND
"""ns of arrivals that are measured at most, and of a measurement's life: a line that changed is to be seen soon."""

EASE = 5 * MILLISECOND
"""ns, and its own time at the target rate, that a packet may take longer than the quickest without having queued."""

PACKETS = 512
"""Packets in a window at most: 300 ms at 16 Mb/s."""


class BusyRate:
    """Takes packets in the order of their arrival."""

    def __init__(self) -> None:
        self._gaps: deque[tuple[int, int, int]] = deque(maxlen=PACKETS)
        """(arrival, ns that the line took for a packet, its bytes), of packets that queued behind another."""
        self._last: int | None = None

    def arrived(self, size: int, sent: int, when: int, quickest: int, target: int) -> None:
        """A packet of ``size`` bytes; ``quickest`` is the least delay (arrival minus sending) of late, ns; ``target`` in b/s."""
        last = self._last
        self._last = when
        if last is not None and (when < last or when - last > WINDOW):
            self._gaps.clear()
        elif last is not None and (sent + quickest < last or sent + quickest + EASE + size * 8 * SECOND // target < when):
            # It was there before the one ahead of it had passed, or waited for somebody else's: so the line was never idle.
            self._gaps.append((when, when - last, size))
        while self._gaps and when - self._gaps[0][0] > WINDOW:
            self._gaps.popleft()

    def interrupted(self) -> None:
        """What arrived between the last packet and the next is not known."""
        self._last = None

    @property
    def bitrate(self) -> int | None:
        """b/s; None where too little queued of late."""
        busy = sum(gap for _, gap, _ in self._gaps)
        if busy < SPAN:
            return None
        return sum(size for _, _, size in self._gaps) * 8 * SECOND // busy
