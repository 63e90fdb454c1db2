"""Time stamps that go on, whatever a source's own do: at its end, when it begins anew, and where its clock is set."""

from __future__ import annotations

from stream.media.limits import BACKWARD, FORWARD, SHORTEST_ROUND


class Continuity:
    """Says what to add to a source's time stamps. All are in ticks, of decoding; tracks are known by a number."""

    def __init__(self, begin: int = 0) -> None:
        """``begin``, 0 or more, is where the first packet is put."""
        self._round = begin
        """Where this round began, in our time."""
        self._offset: int | None = None
        self._starts: dict[int, int] = {}
        """Of each track in this round, the source's own time."""
        self._ends: dict[int, int] = {}
        """Where each track's last packet ended, in our time."""

    def place(self, track: int, dts: int, duration: int) -> int:
        """What to add to the time stamps of a packet."""
        if self._offset is None:
            self._offset = self._round - dts
        if self._ends:
            latest = max(self._ends.values())
            if not -BACKWARD <= dts + self._offset - latest <= FORWARD:
                # Another clock's time, for all tracks: this packet goes to where the last one ended.
                self._offset = latest - dts
        if not self._starts:
            self._round = dts + self._offset
        self._starts.setdefault(track, dts)
        self._ends[track] = max(self._ends.get(track, 0), dts + self._offset + max(duration, 0))
        return self._offset

    def next_round(self) -> None:
        """The same source begins anew: no track overlaps itself, and the longest one goes on without a gap."""
        if self._starts:
            behind = max(self._ends[track] - start for track, start in self._starts.items())
            self._offset = max(behind, self._round + SHORTEST_ROUND - min(self._starts.values()))
            self._starts = {}
