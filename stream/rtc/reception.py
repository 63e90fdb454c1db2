"""What a receiver reports of an RTP stream: RFC 3550 section 6.4.1 and appendix A.3, A.8."""

from __future__ import annotations

from aiortc.rtp import RtcpReceiverInfo, clamp_packets_lost

from stream.limits import SECOND


class Reception:
    """Counts one SSRC's packets."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self._clock_rate = clock_rate
        self._base: int | None = None
        self._highest = 0
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._sender_report: tuple[int, int] | None = None

    def add(self, sequence: int, timestamp: int, now: int) -> None:
        """Takes a packet: its unwrapped sequence number, RTP timestamp, and arrival in ns."""
        self._received += 1
        if self._base is None:
            self._base = self._highest = sequence
        self._highest = max(self._highest, sequence)
        transit = now * self._clock_rate / SECOND - timestamp
        if self._transit is not None:
            # A timestamp that wrapped or jumped says nothing of the line.
            change = abs(transit - self._transit)
            if change < self._clock_rate:
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def sender_report(self, ntp: int, now: int) -> None:
        """Notes the middle 32 bits of a sender report's NTP time, which the next report echoes as LSR."""
        self._sender_report = ((ntp >> 16) & 0xFFFFFFFF, now)

    @property
    def lost(self) -> int:
        if self._base is None:
            return 0
        return max(0, self._highest - self._base + 1 - self._received)

    def report(self, now: int) -> RtcpReceiverInfo:
        """The report block for now (ns), and the start of the next interval."""
        expected = self._highest - (self._base or 0) + 1
        expected_now, received_now = expected - self._expected_before, self._received - self._received_before
        self._expected_before, self._received_before = expected, self._received
        lost_now = max(0, expected_now - received_now)
        last, delay = 0, 0
        if self._sender_report is not None:
            last = self._sender_report[0]
            delay = min(0xFFFFFFFF, (now - self._sender_report[1]) * 65536 // SECOND)
        return RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=min(255, lost_now * 256 // expected_now) if expected_now > 0 else 0,
            packets_lost=clamp_packets_lost(expected - self._received),
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter) & 0xFFFFFFFF,
            lsr=last,
            dlsr=delay,
        )
