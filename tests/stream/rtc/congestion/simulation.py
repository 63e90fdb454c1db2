"""A sender, a line and a receiver on a clock of their own: a run is the same each time, and takes no time."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stream.limits import FEEDBACK_INTERVAL, MILLISECOND, SECOND
from stream.rtc.congestion.feedback import FeedbackReader
from stream.rtc.congestion.goog_cc import GoogCc
from stream.rtc.pacer import Pacer
from stream.rtc.transport_cc import TransportFeedback

PACKET = 1200
"""Bytes of a full packet."""

FPS = 30
STALL = 70 * MILLISECOND
"""ns: a round trip of 40 ms until a lost packet of the publisher's is there, and the time that it takes to be missed."""

KEYFRAME = 5
"""Times an average frame that a keyframe takes."""


@dataclass
class Timer:
    due: int
    call: Callable[[], None] | None

    def cancel(self) -> None:
        self.call = None


class Loop:
    """What asyncio's loop does, when told to."""

    def __init__(self) -> None:
        self.now = 0
        self.wakes = 0
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()

    def clock(self) -> int:
        return self.now

    def at(self, when: int, call: Callable[[], None]) -> Timer:
        timer = Timer(when, call)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.wakes += 1
        return self.at(self.now + int(delay * SECOND), call)

    def every(self, interval: int, call: Callable[[], None]) -> None:
        def again() -> None:
            call()
            self.at(self.now + interval, again)

        self.at(self.now + interval, again)

    def run(self, until: int) -> None:
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            self.now = when
            if timer.call is not None:
                timer.call()
        self.now = until


@dataclass
class Packet:
    size: int
    repeated: bool = False
    first: bool = False
    """Of a picture."""


@dataclass
class Line:
    """A bottleneck: a rate over time, a queue that overflows, a delay, and loss by seed."""

    loop: Loop
    rates: Sequence[tuple[float, float]]
    """(from this second, b/s), ascending; 0 is a line without a bottleneck."""
    delay: int = 20 * MILLISECOND
    """One way, ns."""
    depth: int = 300 * MILLISECOND
    """ns of the rate that the queue holds."""
    loss: float = 0.0
    jitter: int = 0
    """ns at most, without reordering."""
    seed: int = 1
    overflowed: int = 0
    lost: int = 0
    delays: list[tuple[int, int]] = field(default_factory=list)
    """(sent, ns from there to the end of its turn at the bottleneck), for each packet that came through."""
    waits: list[tuple[int, int]] = field(default_factory=list)
    """(sent, ns that it waited for its turn), for the first packet of each picture: what stood in the queue before."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._queue: deque[tuple[int, int, bool, Callable[[], None]]] = deque()
        self._queued = 0
        self._busy = False
        self._arrived = 0

    @property
    def rate(self) -> float:
        return [rate for begin, rate in self.rates if begin * SECOND <= self.loop.now][-1]

    def send(self, size: int, first: bool, arrive: Callable[[], None]) -> bool:
        """False if the packet will not arrive."""
        if self._random.random() < self.loss:
            self.lost += 1
            return False
        if self.rate and self._queued * 8 * SECOND > self.rate * self.depth:
            self.overflowed += 1
            return False
        self._queue.append((size, self.loop.now, first, arrive))
        self._queued += size
        if not self._busy:
            self._serve()
        return True

    def _serve(self) -> None:
        self._busy = True
        size, sent, first, _ = self._queue[0]
        if first:
            self.waits.append((sent, self.loop.now - sent))
        self.loop.at(self.loop.now + (int(size * 8 * SECOND / self.rate) if self.rate else 1000), self._served)

    def _served(self) -> None:
        size, sent, _, arrive = self._queue.popleft()
        self._queued -= size
        self.delays.append((sent, self.loop.now - sent))
        self._arrived = max(self._arrived, self.loop.now + self.delay + int(self._random.random() * self.jitter))
        self.loop.at(self._arrived, arrive)
        self._busy = False
        if self._queue:
            self._serve()


class Call:
    """One video sender under GoogCc over a line."""

    def __init__(
        self,
        rates: Sequence[tuple[float, float]],
        *,
        start: int = 1_500_000,
        ceiling: int = 4_000_000,
        demand: float = 1.0,
        feedback_loss: float = 0.0,
        keyframes: float = 0.0,
        stalls: float = 0.0,
        spread: float = 0.25,
        **line: float,
    ) -> None:
        self.loop = Loop()
        self.line = Line(self.loop, rates, **line)  # type: ignore[arg-type]
        self.controller = GoogCc(start, ceiling)
        self.pacer: Pacer[Packet] = Pacer(
            self,
            bitrate=start,
            call_later=self.loop.call_later,
            clock=self.loop.clock,
            on_dropped=self._ask_keyframe,
        )
        self.demand = demand
        """Share of the target that the encoder makes use of: a still picture needs little."""
        self.targets: list[tuple[int, int]] = []
        """(ns, b/s), every 10 ms."""
        self.skipped = 0
        self.probes: list[tuple[int, int]] = []
        self.padded = 0
        self.delivered: list[tuple[int, int]] = []
        """(ns, bytes) of pictures that arrived the first time or repeated."""
        self._random = random.Random(self.line.seed + 1)
        self._stalls, self._spread = stalls, spread
        self._stalled_until = 0
        self._feedback_loss = feedback_loss
        self._keyframe = True
        self._debt = 0.0
        self._number = 0
        self._sent_any = False
        self._writer, self._reader = TransportFeedback(), FeedbackReader()
        self.loop.every(SECOND // FPS, self._frame)
        if keyframes:
            self.loop.every(int(keyframes * SECOND), self._ask_keyframe)
        self.loop.every(FEEDBACK_INTERVAL, self._report)
        self.loop.every(25 * MILLISECOND, self._tick)
        self.loop.every(10 * MILLISECOND, lambda: self.targets.append((self.loop.now, self.controller.target)))

    def run(self, seconds: float) -> None:
        self.loop.run(int(seconds * SECOND))

    def transmit(self, packet: Packet, now: int, cluster: int | None) -> int:
        number = self._number
        self._number = (number + 1) & 0xFFFF
        self.controller.sent(number, packet.size, now, cluster)
        self._sent_any = True
        if not self.line.send(packet.size, packet.first, lambda: self._arrive(number, packet)) and not packet.repeated:
            # The receiver asks for it when the next one arrives.
            again = Packet(packet.size, repeated=True)
            self.loop.at(now + 2 * self.line.delay + 20 * MILLISECOND, lambda: self.pacer.repeat([again]))
        return packet.size

    def flush(self) -> None:
        """``transmit`` holds nothing back."""

    def pad(self, now: int, cluster: int) -> int:
        self.padded += PACKET
        return self.transmit(Packet(PACKET, repeated=True), now, cluster) if self._sent_any else 0

    def _arrive(self, number: int, packet: Packet) -> None:
        self._writer.received(number, self.loop.now)
        self.delivered.append((self.loop.now, packet.size))

    def _ask_keyframe(self) -> None:
        self._keyframe = True

    def _frame(self) -> None:
        """The publisher's picture comes, or is held up with those after it, as by a repeat of a lost packet."""
        now = self.loop.now
        if now >= self._stalled_until and self._random.random() < self._stalls:
            self._stalled_until = now + STALL
        if now >= self._stalled_until:
            self._encode()
        else:
            self.loop.at(self._stalled_until + now % (5 * MILLISECOND), self._encode)

    def _encode(self) -> None:
        if not self.pacer.ready or not self.controller.open:
            self.skipped += 1
            return
        average = self.controller.target * self.demand / FPS / 8
        keyframe, self._keyframe = self._keyframe, False
        size = average * (KEYFRAME if keyframe else self._random.uniform(1 - self._spread, 1 + self._spread))
        # As a rate control does: what was spent too much is saved over the next frames.
        size = max(size - (0.0 if keyframe else self._debt / 12), average / 4)
        self._debt += size - average
        whole, last = divmod(max(int(size), 100), PACKET)
        packets = [Packet(PACKET) for _ in range(whole)] + ([Packet(last)] if last else [])
        packets[0].first = True
        self.pacer.send(packets, keyframe)

    def _report(self) -> None:
        feedback = self._writer.feedback(1, 2)
        if feedback is None or self._random.random() < self._feedback_loss:
            return
        self.loop.at(self.loop.now + self.line.delay, lambda: self._feedback(feedback))

    def _feedback(self, feedback: bytes) -> None:
        self.controller.feedback(self._reader.read(feedback), self.loop.now)
        self._control()

    def _tick(self) -> None:
        self.controller.tick(self.loop.now)
        self._control()

    def _control(self) -> None:
        self.pacer.bitrate = self.controller.target
        if self._sent_any and (probe := self.controller.probe(self.loop.now)) is not None:
            self.probes.append((self.loop.now, probe.bitrate))
            self.pacer.probe(probe)

    def reached(self, bitrate: float, after: float = 0.0) -> float:
        """Seconds after ``after`` until the target is at least so much."""
        return self._first(lambda target: target >= bitrate, after)

    def fell_to(self, bitrate: float, after: float = 0.0) -> float:
        return self._first(lambda target: target <= bitrate, after)

    def _first(self, true_of: Callable[[int], bool], after: float) -> float:
        return next((when / SECOND - after for when, target in self.targets if when >= after * SECOND and true_of(target)), 1e9)

    def between(self, begin: float, end: float) -> list[int]:
        """Targets, b/s."""
        return [target for when, target in self.targets if begin * SECOND <= when < end * SECOND]

    def mean(self, begin: float, end: float) -> float:
        targets = self.between(begin, end)
        return sum(targets) / len(targets)

    def oscillation(self, begin: float, end: float) -> float:
        """How far the target is from its mean at most, as a share of the mean."""
        mean = self.mean(begin, end)
        return max(abs(target - mean) for target in self.between(begin, end)) / mean

    def standing(self, quantile: float, begin: float, end: float) -> float:
        """ms that pictures found in the line's queue."""
        waits = sorted(wait for sent, wait in self.line.waits if begin * SECOND <= sent < end * SECOND)
        return waits[int(quantile * (len(waits) - 1))] / MILLISECOND

    def queueing(self, quantile: float, begin: float, end: float) -> float:
        """ms that packets took to pass the bottleneck, their own picture before them included."""
        delays = sorted(delay for sent, delay in self.line.delays if begin * SECOND <= sent < end * SECOND)
        return delays[int(quantile * (len(delays) - 1))] / MILLISECOND

    def throughput(self, begin: float, end: float) -> float:
        """b/s that arrived."""
        return sum(size for when, size in self.delivered if begin * SECOND <= when < end * SECOND) * 8 / (end - begin)
