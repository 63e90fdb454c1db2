"""How much longer the line took for a group of packets than for the one before: draft-ietf-rmcat-gcc-02 section 5.2, 5.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from stream.limits import MILLISECOND, SECOND

BURST = 5 * MILLISECOND
"""ns: packets sent within so long are one group, as a pacer's batch is; what arrives closer may have been held up together."""

LONGEST_BURST = 100 * MILLISECOND
"""ns of arrivals that one group may span."""

JUMP = 3 * SECOND
"""ns that a group may take longer before the receiver's clock is taken for another."""


class Deltas(NamedTuple):
    """Between two groups, ns."""

    sent: int
    arrived: int
    when: int
    """Arrival of the later group, on the receiver's clock."""


@dataclass(slots=True)
class _Group:
    first_sent: int
    last_sent: int
    first_arrived: int
    last_arrived: int


class InterArrival:
    """Takes packets in the order of their numbers."""

    def __init__(self) -> None:
        self._current: _Group | None = None
        self._previous: _Group | None = None

    def packet(self, sent: int, arrived: int) -> Deltas | None:
        """Notes a packet; the deltas of the two groups before it, where it begins a new one."""
        group = self._current
        if group is None:
            self._current = _Group(sent, sent, arrived, arrived)
            return None
        if sent < group.first_sent:
            return None
        if not self._begins_another(group, sent, arrived):
            group.last_sent = max(group.last_sent, sent)
            group.last_arrived = max(group.last_arrived, arrived)
            return None
        previous, self._previous, self._current = self._previous, group, _Group(sent, sent, arrived, arrived)
        if previous is None:
            return None
        deltas = Deltas(group.last_sent - previous.last_sent, group.last_arrived - previous.last_arrived, group.last_arrived)
        if abs(deltas.arrived - deltas.sent) > JUMP:
            self._previous = None
            return None
        return deltas if deltas.arrived >= 0 else None

    @staticmethod
    def _begins_another(group: _Group, sent: int, arrived: int) -> bool:
        gap = arrived - group.last_arrived
        caught_up = gap < sent - group.last_sent and gap <= BURST and arrived - group.first_arrived < LONGEST_BURST
        return not caught_up and sent - group.first_sent > BURST
