"""Send-side control from transport-wide feedback: delay first, loss as a bound, bursts to find the line's capacity.

After draft-ietf-rmcat-gcc-02, and what libwebrtc has made of it since: trendline, Bayesian throughput, probing.
"""

from __future__ import annotations

from stream.limits import MIN_BITRATE, SECOND
from stream.rtc.congestion import Arrivals, Probe
from stream.rtc.congestion.history import SentHistory, SentPacket
from stream.rtc.congestion.inter_arrival import InterArrival
from stream.rtc.congestion.loss import HIGH, LossBound
from stream.rtc.congestion.probing import Probing
from stream.rtc.congestion.rate_control import RateControl
from stream.rtc.congestion.throughput import Throughput
from stream.rtc.congestion.trendline import Trendline, Usage

SILENCE = 1 * SECOND
"""ns without feedback, while packets leave, after which the line is taken to be jammed: receivers report every 250 ms."""

SILENCE_DECREASE = 0.7
"""Factor for each SILENCE."""

CALM = 1 * SECOND
"""ns after an overuse without a probe: the queue is to drain first."""


class GoogCc:
    """A Controller."""

    def __init__(self, start: int, ceiling: int, floor: int = MIN_BITRATE) -> None:
        self._floor, self._ceiling = floor, ceiling
        start = max(floor, min(start, ceiling))
        self._history = SentHistory()
        self._inter_arrival = InterArrival()
        self._trendline = Trendline()
        self._throughput = Throughput()
        self._rate = RateControl(start, floor, ceiling)
        self._loss = LossBound(floor, ceiling)
        self._probing = Probing(start, ceiling)
        self._remb: int | None = None
        self._heard: int | None = None
        """When feedback last came."""
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

    def sent(self, number: int, size: int, now: int, cluster: int | None = None) -> None:
        self._history.add(SentPacket(number & 0xFFFF, size, now, cluster))
        self._sent_since = True

    def feedback(self, arrivals: Arrivals, now: int) -> None:
        arrived: list[tuple[SentPacket, int]] = []
        lost = late = 0
        for number, when in arrivals:
            if when is None:
                lost += self._history.lost(number)
            elif (packet := self._history.arrived(number)) is not None:
                arrived.append((packet, when))
                late += packet.reported
        if not arrived and not lost:
            return
        self._heard, self._sent_since = now, False
        found: int | None = None
        for packet, when in arrived:
            deltas = self._inter_arrival.packet(packet.sent, when)
            if deltas is not None:
                self._trendline.update(deltas)
            if packet.cluster is not None:
                found = self._probing.arrived(packet, when, self.target) or found
        for packet, when in sorted(arrived, key=lambda pair: pair[1]):
            self._throughput.arrived(packet.size, when)
        if arrived:
            # The last one waited least for the feedback.
            trip = now - max(packet.sent for packet, _ in arrived)
            self._rate.round_trip += (trip - self._rate.round_trip) // 8
        self._control(found, now)
        self._loss.packets(len(arrived) + lost - late, max(0, lost - late), self.target, self._rate.round_trip, now)

    def receiver_report(self, fraction_lost: float, round_trip: int | None, now: int) -> None:
        if self._heard is None:
            # Negotiated, but no feedback came: then this is all there is.
            self._loss.share(fraction_lost, SECOND, self.target, round_trip or 0, now)

    def remb(self, bitrate: int, now: int) -> None:
        self._remb = bitrate

    def tick(self, now: int) -> None:
        if self._heard is not None and self._sent_since and now - self._heard >= SILENCE:
            self._heard = now
            self._rate.learned(int(self.target * SILENCE_DECREASE), now)

    def probe(self, now: int) -> Probe | None:
        calm = self._trendline.usage is not Usage.OVER and now - self._overused >= CALM and self._loss.fraction < HIGH
        return self._probing.next(self.target, calm, now)

    def _control(self, found: int | None, now: int) -> None:
        usage = self._trendline.usage
        throughput = self._throughput.bitrate
        self.throughput = throughput or 0
        if usage is Usage.OVER:
            self._overused = now
            self._probing.again()
        elif found is not None and found > self.target:
            self._rate.learned(found, now)
            self._loss.learned(found)
            return
        self._rate.update(usage, throughput, now)
