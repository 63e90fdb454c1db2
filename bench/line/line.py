"""One direction of a line: packets go in, and come out later, or never. It has no clock and no socket of its own."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from bench.line.script import Impairment, Script, steady

HEADERS = 28
"""Bytes of IPv4 and UDP before each packet, which take their time on the line too."""
MAX_PACKETS = 20_000
"""Packets on the line at once, 25 MB: where no queue has a depth, memory has."""
SECOND = 1_000_000_000
"""ns."""


@dataclass(slots=True)
class Counts:
    """What a line did. Packets, unless another unit is named."""

    taken: int = 0
    delivered: int = 0
    """Duplicates included."""
    lost: int = 0
    """One by one, by chance."""
    lost_in_bursts: int = 0
    """In bad spells."""
    dropped_by_script: int = 0
    dropped_by_queue: int = 0
    """Because they found the queue full."""
    duplicated: int = 0
    reordered: int = 0
    """Held so that later ones may overtake them."""
    octets: int = 0
    """Bytes delivered, without IP and UDP headers."""
    queued_ns: int = 0
    """Time that packets waited for others before them, together; what stays in the queue is not counted."""
    queued_max_ns: int = 0
    queue_ms: list[float] = field(default_factory=list)
    """The longest wait in each second since the first packet."""

    @property
    def dropped(self) -> int:
        return self.lost + self.lost_in_bursts + self.dropped_by_script + self.dropped_by_queue


class Line:
    """Decides about each packet when it enters, so that the outcome depends on nothing but the packets, their times and the seed.

    Loss comes before the queue: a lost packet takes no room in it. Packets come out in the order in which they went in,
    but for those that the script reorders. Not safe for use by several threads.
    """

    def __init__(self, script: Script | None = None, seed: int = 0) -> None:
        self.script = script or steady()
        self.counts = Counts()
        self.began: int | None = None
        """When its first packet went in, ns: the script's zero."""
        self._random = random.Random(seed)
        self._bad = False
        self._to_drop = 0
        self._next_drop = 0
        self._free_at = 0
        """When the last packet before has left the queue, ns."""
        self._queue: deque[tuple[int, int]] = deque()
        """Of each packet in the queue, when it has left, ns, and its size."""
        self._queued = 0
        """Bytes in the queue."""
        self._last_out = 0
        self._steps = [(int(at * SECOND), impairment) for at, impairment in self.script.steps]

    def begin(self, now: int) -> None:
        """Makes this the script's zero, in ns, unless it has begun."""
        if self.began is None:
            self.began = now

    def drop_next(self, count: int) -> None:
        """Drops so many of the packets that follow, beside what the script drops."""
        self._to_drop += count

    def push(self, packet: bytes, now: int) -> list[tuple[int, bytes]]:
        """Takes a packet at a time in ns, which never goes back; returns when it comes out, ns: never, once or twice."""
        self.begin(now)
        assert self.began is not None
        now -= self.began
        index = self.script.index(now / SECOND)
        impairment = self._steps[index][1]
        self.counts.taken += 1
        if self._lost(impairment, now):
            return []
        size = len(packet) + HEADERS
        leaves = self._leaves(impairment, index, size, now)
        if leaves is None:
            self.counts.dropped_by_queue += 1
            return []
        out = leaves + int(impairment.delay * 1e6)
        if impairment.jitter:
            out += int(self._random.random() * impairment.jitter * 1e6)
        if impairment.reorder and self._random.random() < impairment.reorder:
            out += int(impairment.reorder_by * 1e6)
            self.counts.reordered += 1
        else:
            self._last_out = out = max(out, self._last_out)
        copies = 1
        if impairment.duplicate and self._random.random() < impairment.duplicate:
            self.counts.duplicated += 1
            copies = 2
        self.counts.delivered += copies
        self.counts.octets += copies * len(packet)
        return [(self.began + out, packet)] * copies

    def _lost(self, impairment: Impairment, now: int) -> bool:
        drops = self.script.drops
        while self._next_drop < len(drops) and now >= int(drops[self._next_drop][0] * SECOND):
            self._to_drop += drops[self._next_drop][1]
            self._next_drop += 1
        if self._to_drop:
            self._to_drop -= 1
            self.counts.dropped_by_script += 1
            return True
        if impairment.bad_begins:
            self._bad = self._random.random() < (1 - impairment.bad_ends if self._bad else impairment.bad_begins)
        else:
            self._bad = False
        if self._bad and self._random.random() < impairment.bad_loss:
            self.counts.lost_in_bursts += 1
            return True
        if impairment.loss and self._random.random() < impairment.loss:
            self.counts.lost += 1
            return True
        return False

    def _leaves(self, impairment: Impairment, index: int, size: int, now: int) -> int | None:
        """When the packet has left the queue, or None where it does not fit."""
        while self._queue and self._queue[0][0] <= now:
            self._queued -= self._queue.popleft()[1]
        starts = max(now, self._free_at)
        wait = starts - now
        if (
            (impairment.queue_ms is not None and wait > impairment.queue_ms * 1e6)
            or (impairment.queue_bytes is not None and self._queued + size > impairment.queue_bytes)
            or len(self._queue) >= MAX_PACKETS
        ):
            return None
        self._note(wait, now)
        leaves = self._sent(starts, size * 8, index)
        if leaves > now:
            self._free_at = leaves
            self._queue.append((leaves, size))
            self._queued += size
        return leaves

    def _sent(self, at: int, bits: int, index: int) -> int:
        """When so many bits are out that begin to leave at this time, by the rates of the script from then on."""
        while index + 1 < len(self._steps) and self._steps[index + 1][0] <= at:
            index += 1
        left = bits * SECOND  # in bit x ns per s, so that whole numbers do
        while (rate := self._steps[index][1].rate) is not None:
            ends = self._steps[index + 1][0] if index + 1 < len(self._steps) else None
            if ends is None or at + -(-left // rate) <= ends:
                return at + -(-left // rate)
            left -= (ends - at) * rate
            at = ends
            index += 1
        return at

    def _note(self, wait: int, now: int) -> None:
        counts = self.counts
        counts.queued_ns += wait
        counts.queued_max_ns = max(counts.queued_max_ns, wait)
        second = now // SECOND
        if second < 3600:  # an hour of seconds is as much as anybody plots
            counts.queue_ms.extend([0.0] * (second + 1 - len(counts.queue_ms)))
            counts.queue_ms[second] = max(counts.queue_ms[second], wait / 1e6)
