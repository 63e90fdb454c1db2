"""Short bursts that find out what the line carries, so that nobody waits for 8 % a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from stream.limits import MILLISECOND, SECOND
from stream.rtc.congestion import Probe
from stream.rtc.congestion.history import SentPacket

DURATION = 15 * MILLISECOND
"""ns of a burst: short enough that a queue of it is no delay to speak of."""

PACKETS = 5
"""Packets of a burst at least: fewer measure the scheduler, not the line."""

FIRST = 3
"""Times the start rate, at the beginning."""

STEP = 2
"""Times what is known, later."""

FURTHER = 0.7
"""Share of a burst's rate that has to come through for the next, higher one to follow at once."""

ANSWER = 1 * SECOND
"""ns to wait for a burst's feedback before it is given up."""

INTERVAL = 3 * SECOND
"""ns between two bursts while the target is under the ceiling."""

LONGEST_INTERVAL = 12 * SECOND
"""ns: each burst that finds nothing new doubles the interval up to this."""

TRIES = 3
"""Bursts at one rate, where packets of it or the feedback get lost."""

ARRIVED = 0.8
"""Share of a burst's packets and bytes that has to arrive for it to count."""

FULL = 0.9
"""A burst that arrives at less than this share of its rate filled the line: what arrived is the line's capacity,"""

USABLE = 0.82
"""of which so much is taken, to leave the queue a way to drain."""

IMPLAUSIBLE = 2.0
"""Times the rate it was sent at: packets that came faster were held up and let go together."""


class Found(NamedTuple):
    """What a burst showed."""

    bitrate: int
    """b/s that may be sent."""
    capacity: int | None
    """b/s that the line carries, where the burst filled it."""


@dataclass(slots=True)
class _Cluster:
    probe: Probe
    began: int
    count: int = 0
    octets: int = 0
    first_sent: int = 0
    last_sent: int = 0
    last_size: int = 0
    first_arrived: int = 0
    last_arrived: int = 0
    first_size: int = 0


class Probing:
    """One burst at a time."""

    def __init__(self, start: int, ceiling: int) -> None:
        self._ceiling = ceiling
        self._wanted: int | None = min(FIRST * start, ceiling)
        self._cluster: _Cluster | None = None
        self._count = 0
        self._last = 0
        self._interval = INTERVAL
        self._unanswered = 0

    def next(self, target: float, calm: bool, now: int) -> Probe | None:
        """The burst to send now, if it is time for one; ``calm`` is a line whose queue does not grow."""
        if self._cluster is not None:
            if now - self._cluster.began < ANSWER:
                return None
            self._unanswered += 1
            if self._unanswered < TRIES:
                self._wanted, self._cluster = self._cluster.probe.bitrate, None
            else:
                self._fruitless()
        if not calm:
            return None
        if self._wanted is None and now - self._last >= self._interval:
            self._wanted = int(STEP * target)
        if self._wanted is None or target >= self._ceiling:
            return None
        bitrate, self._wanted = min(self._wanted, self._ceiling), None
        self._count += 1
        self._last = now
        probe = Probe(self._count, bitrate, PACKETS, bitrate * DURATION // (8 * SECOND))
        self._cluster = _Cluster(probe, now)
        return probe

    def again(self) -> None:
        """The rate fell: what was found out before is void."""
        self._interval = INTERVAL

    def arrived(self, packet: SentPacket, when: int, target: float) -> Found | None:
        """Takes a packet of a burst; what it found, where it is complete and shows more than the target."""
        cluster = self._cluster
        if cluster is None or packet.cluster != cluster.probe.cluster:
            return None
        if not cluster.count or packet.sent < cluster.first_sent:
            cluster.first_sent = packet.sent
        if not cluster.count or when < cluster.first_arrived:
            cluster.first_arrived, cluster.first_size = when, packet.size
        if packet.sent >= cluster.last_sent:
            cluster.last_sent, cluster.last_size = packet.sent, packet.size
        cluster.last_arrived = max(cluster.last_arrived, when)
        cluster.count += 1
        cluster.octets += packet.size
        probe = cluster.probe
        if cluster.count < ARRIVED * probe.packets or cluster.octets < ARRIVED * probe.octets:
            return None
        found = _measure(cluster)
        if found is None:
            return None
        self._unanswered = 0
        if found.bitrate <= target:
            self._fruitless()
            return None
        self._cluster = None
        self._interval = INTERVAL
        if found.bitrate >= FURTHER * probe.bitrate and probe.bitrate < self._ceiling:
            self._wanted = STEP * found.bitrate
        return found

    def _fruitless(self) -> None:
        self._cluster = None
        self._interval = min(2 * self._interval, LONGEST_INTERVAL)


def _measure(cluster: _Cluster) -> Found | None:
    """The rate at which a burst was sent and arrived; the last packet takes no time to send, nor the first to arrive."""
    sending, arriving = cluster.last_sent - cluster.first_sent, cluster.last_arrived - cluster.first_arrived
    if sending <= 0 or arriving <= 0 or max(sending, arriving) > SECOND:
        return None
    sent = (cluster.octets - cluster.last_size) * 8 * SECOND / sending
    arrived = (cluster.octets - cluster.first_size) * 8 * SECOND / arriving
    if arrived > IMPLAUSIBLE * sent:
        return None
    return Found(int(USABLE * arrived), int(arrived)) if arrived < FULL * sent else Found(int(min(sent, arrived)), None)
