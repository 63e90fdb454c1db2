"""Send-side control from transport-wide feedback: delay first, loss as a bound, bursts to find the line's capacity.

After draft-ietf-rmcat-gcc-02, and what libwebrtc has made of it since: trendline, Bayesian throughput, probing.
"""

from __future__ import annotations

from stream.limits import MILLISECOND, MIN_BITRATE, SECOND
from stream.rtc.congestion import Arrivals, Probe
from stream.rtc.congestion.busy_rate import BusyRate
from stream.rtc.congestion.history import SentHistory, SentPacket
from stream.rtc.congestion.inter_arrival import InterArrival
from stream.rtc.congestion.loss import HIGH, LossBound
from stream.rtc.congestion.probing import Found, Probing
from stream.rtc.congestion.rate_control import RateControl
from stream.rtc.congestion.standing_queue import StandingQueue
from stream.rtc.congestion.throughput import Throughput
from stream.rtc.congestion.trendline import Trendline, Usage

SILENCE = 1 * SECOND
"""ns without feedback, while packets leave, after which the line is taken to be jammed: receivers report every 250 ms."""

SILENCE_DECREASE = 0.7
"""Factor for each SILENCE."""

CALM = 1 * SECOND
"""ns after an overuse without a probe: the queue is to drain first."""


QUEUE = 70 * MILLISECOND
"""ns of the target that may stand in the line's queue before no more pictures are made."""

LONGEST_GAP = 250 * MILLISECOND
"""ns between two feedbacks, as libwebrtc sends them at low rates."""

ROUND_TRIP_AGE = 10 * SECOND
"""ns for which the shortest round trip is believed: routes change."""


class GoogCc:
    """A Controller."""

    def __init__(self, start: int, ceiling: int, floor: int = MIN_BITRATE) -> None:
        self._floor, self._ceiling = floor, ceiling
        start = max(floor, min(start, ceiling))
        self._history = SentHistory()
        self._inter_arrival = InterArrival()
        self._trendline = Trendline()
        self._standing_queue = StandingQueue()
        self._stands = False
        self._busy_rate = BusyRate()
        self._throughput = Throughput()
        self._rate = RateControl(start, floor, ceiling)
        self._loss = LossBound(floor, ceiling)
        self._probing = Probing(start, ceiling)
        self._remb: int | None = None
        self._heard: int | None = None
        """When feedback last came."""
        self._gap = 50 * MILLISECOND
        """ns between two feedbacks, smoothed."""
        self._shortest: tuple[int, int] | None = None
        """The shortest round trip, and when it was, ns."""
        self._sent_since = False
        self._overused = -CALM
        self.throughput = 0
        """b/s that arrive; 0 before it is known."""

    @property
    def target(self) -> int:
        target = min(self._rate.target, self._loss.bitrate)
        if self._heard is None and self._remb is not None:
            target = min(target, self._remb)
        return int(max(self._floor, min(target, self._ceiling)))

    @property
    def open(self) -> bool:
        if self._shortest is None:
            return True
        window = self._shortest[0] + self._gap + QUEUE
        return self._history.under_way * 8 * SECOND < self.target * window

    def sent(self, number: int, size: int, now: int, cluster: int | None = None) -> None:
        self._history.add(number & 0xFFFF, size, now, cluster)
        self._sent_since = True

    def feedback(self, arrivals: Arrivals, now: int) -> None:
        arrived: list[tuple[SentPacket, int]] = []
        lost = late = 0
        unreported = self._history.before(arrivals[0][0]) if arrivals else 0
        for number, when in arrivals:
            if when is None:
                lost += self._history.lost(number)
            elif (packet := self._history.arrived(number)) is not None:
                arrived.append((packet, when))
                late += packet.reported
        if not arrived and not lost:
            return
        if self._heard is not None:
            self._gap += (min(now - self._heard, LONGEST_GAP) - self._gap) // 8
        self._heard, self._sent_since = now, False
        found: Found | None = None
        for packet, when in arrived:
            deltas = self._inter_arrival.packet(packet.sent, when)
            if deltas is not None:
                self._trendline.update(deltas)
            if packet.cluster is not None:
                found = self._probing.arrived(packet, when, self.target) or found
        if arrived:
            self._stands = self._standing_queue.update(min(when - packet.sent for packet, when in arrived), now)
            # The last one waited least for the feedback.
            trip = now - max(packet.sent for packet, _ in arrived)
            self._rate.round_trip += (trip - self._rate.round_trip) // 8
            if self._shortest is None or trip <= self._shortest[0] or now - self._shortest[1] > ROUND_TRIP_AGE:
                self._shortest = trip, now
        if unreported:
            self._busy_rate.interrupted()
        target = self.target
        for packet, when in sorted(arrived, key=lambda pair: pair[1]):
            self._busy_rate.arrived(packet.size, packet.sent, when, self._standing_queue.quickest, target)
            # Where a feedback got lost, what it was about is taken to have arrived: else the line would seem slower.
            self._throughput.arrived(packet.size + unreported, when)
            unreported = 0
        self._control(found, now)
        reported = len(arrived) + lost - late
        self._loss.packets(reported, max(0, lost - late), self.target, self._throughput.bitrate, self._rate.round_trip, now)

    def receiver_report(self, fraction_lost: float, round_trip: int | None, now: int) -> None:
        if self._heard is None:
            # Negotiated, but no feedback came: then this is all there is.
            self._loss.share(fraction_lost, SECOND, self.target, round_trip or 0, now)

    def remb(self, bitrate: int, now: int) -> None:
        self._remb = bitrate

    def tick(self, now: int) -> None:
        if self._heard is not None and self._sent_since and now - self._heard >= SILENCE:
            self._heard = now
            self._history.forget_under_way()
            self._rate.learned(int(self.target * SILENCE_DECREASE), None, now)

    def probe(self, now: int) -> Probe | None:
        calm = self._trendline.usage is not Usage.OVER and now - self._overused >= CALM and self._loss.fraction < HIGH
        return self._probing.next(self.target, calm, now)

    def _control(self, found: Found | None, now: int) -> None:
        usage = self._trendline.usage
        throughput = self._throughput.bitrate
        self.throughput = throughput or 0
        if self._stands and throughput is not None and throughput < self.target:
            usage = Usage.OVER
        if usage is Usage.OVER:
            # A receiver that was not scheduled for a while looks like a slow line, but not by its mean.
            busy = self._busy_rate.bitrate
            throughput = max(busy, throughput) if busy is not None and throughput is not None else busy or throughput
            self._overused = now
            self._probing.again()
        elif found is not None and found.bitrate > self.target:
            self._rate.learned(found.bitrate, found.capacity, now)
            self._loss.learned(found.bitrate)
            return
        self._rate.update(usage, throughput, now)
