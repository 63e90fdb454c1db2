"""One RTP stream to a peer: encoded pictures in, RTP out, and answers to the peer's feedback."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable, Sequence
from struct import pack
from typing import NamedTuple

from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)

from stream.limits import RETRANSMISSION_WINDOW, RETRANSMISSIONS, SECOND, SEND_HISTORY
from stream.rtc.congestion import Controller
from stream.rtc.congestion.feedback import FeedbackReader
from stream.rtc.flexfec import Protection
from stream.rtc.pacer import Pacer, Timer
from stream.rtc.parameters import HeaderExtensions
from stream.rtc.rtp import header

NTP_EPOCH = 2_208_988_800
"""s from NTP's epoch, the beginning of 1900, to Unix's: 70 years with 17 leap days (RFC 5905 section 6)."""


def random_ssrc() -> int:
    """RFC 3550 section 8.1; never 0, which REMB uses for "none"."""
    return secrets.randbits(31) + 1


BITRATE_STEP = 50
"""A change of the target under a 50th is not told to the encoder: each costs it a new plan."""

OVERHEAD = 20 + 8 + 10
"""Bytes that IPv4, UDP and SRTP's tag add to each packet: the line carries them too."""

SHARE_PACKETS = 128
"""Packets that the share of the payload in what is sent is taken of: some twenty pictures."""

PADDING = 800
"""Bytes of payload of a packet that is worth repeating to pad a probe: small ones take too long to make up its rate."""


class Outgoing(NamedTuple):
    """A packet without its header, which is written when it leaves: it holds the time of that."""

    sequence: int | None
    """None before it is sent for the first time, so that what is dropped while it waits leaves no gap."""
    timestamp: int
    marker: bool
    payload: bytes


class RtpSender:
    """Lives on the event loop. Pictures arrive already split into payloads, so that many senders share one encode.

    With a ``controller`` packets are paced and ``on_bitrate`` is told its target; without one, as for sound, they leave
    at once, and it is told the peer's REMB.
    """

    def __init__(
        self,
        *,
        payload_type: int,
        rtx_payload_type: int | None,
        extensions: HeaderExtensions,
        mid: str,
        cname: str,
        send_rtp: Callable[[bytes], None],
        send_rtcp: Callable[[bytes], None],
        flush: Callable[[], None] = lambda: None,
        on_keyframe_request: Callable[[], None] = lambda: None,
        on_bitrate: Callable[[int], None] = lambda _: None,
        controller: Controller | None = None,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        fec_payload_type: int | None = None,
        clock_rate: int = 90_000,
        epoch: int | None = None,
    ) -> None:
        """``epoch`` is when the timestamp, of ``clock_rate`` Hz, was 0: Unix ns, the same for all streams that are to be seen
        and heard together, which then carry their own time however long each took on its way. None takes the time of sending.
        """
        self.ssrc = random_ssrc()
        self.rtx_ssrc = random_ssrc()
        self.fec_ssrc = random_ssrc()
        self.cname = cname
        self._payload_type = payload_type
        self._rtx_payload_type = rtx_payload_type
        self._fec_payload_type = fec_payload_type
        self._protection = Protection() if fec_payload_type is not None else None
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self.flush = flush
        """Sends what ``send_rtp`` was given and may hold back until then."""
        self._on_keyframe_request = on_keyframe_request
        self._on_bitrate = on_bitrate
        # Kept in the lower half, so that SRTP's rollover guess cannot go wrong on the first packets (RFC 3711 section 3.3.1).
        self._sequence = secrets.randbits(15)
        self._rtx_sequence = secrets.randbits(15)
        self._fec_sequence = secrets.randbits(15)
        self._history: list[Outgoing | None] = [None] * SEND_HISTORY
        self._abs_send_time = extensions.abs_send_time
        name = mid.encode()
        self._mid = pack("!B", (extensions.mid << 4) | (len(name) - 1)) + name if extensions.mid and 0 < len(name) <= 16 else b""
        self._clock = clock
        self._controller = controller
        self._feedback = FeedbackReader()
        self._transport_cc = extensions.transport_cc if controller is not None else None
        self._transport_number = 0
        self._pacer: Pacer[Outgoing] | None = None
        self._told = 0
        """b/s that the encoder was told."""
        if controller is not None and call_later is not None:
            self._told = controller.target
            self._pacer = Pacer(
                self, bitrate=self._told, call_later=call_later, clock=clock, on_dropped=lambda: self._on_keyframe_request()
            )
        self._large = -1
        """Sequence number of the last packet of PADDING bytes or more."""
        self._burst_began = 0
        self._burst = 0
        """Packets repeated since then."""
        self._packets = 0
        self._octets = 0
        self._clock_rate = clock_rate
        self._epoch = epoch
        self._reported: tuple[int, int] | None = None
        self._last: tuple[int, int] | None = None
        """RTP timestamp sent last, and when."""
        self.last_timestamp: int | None = None
        """RTP timestamp that ``send`` was given last."""
        self.round_trip: int | None = None
        """ns, smoothed; None until the peer reported."""
        self.packets_lost = 0
        """As the peer reports."""
        self.octets = 0
        """Bytes of payload sent, retransmissions and repair packets included."""
        self.repairs = 0
        """Repair packets sent."""
        self._useful = self._line = 1.0
        """Bytes sent of late, older ones counting less: of new payload, and of everything on the line."""

    @property
    def ready(self) -> bool:
        """Whether another picture would leave and arrive soon; where not, it is better not encoded. From any thread."""
        return self._pacer is None or self._controller is None or (self._pacer.ready and self._controller.open)

    @property
    def target(self) -> int | None:
        """b/s that its line has for an encoder; None without a controller."""
        return self._told if self._controller is not None else None

    @property
    def dropped(self) -> int:
        """Pictures that waited too long to leave."""
        return 0 if self._pacer is None else self._pacer.dropped

    def send(self, payloads: Sequence[bytes], timestamp: int, keyframe: bool = True) -> None:
        """Sends one picture (or audio packet), RTP timestamp as given, the marker bit on its last packet.

        ``keyframe``: whether it can be decoded without those before it.
        """
        last, self.last_timestamp = len(payloads) - 1, timestamp
        packets = [Outgoing(None, timestamp, index == last, payload) for index, payload in enumerate(payloads)]
        if self._pacer is None:
            now = self._clock()
            for packet in packets:
                self.transmit(packet, now, None)
            self.flush()
        elif packets:
            self._pacer.send(packets, keyframe)

    def transmit(self, packet: Outgoing, now: int, cluster: int | None) -> int:
        """Puts a packet on the line, as its first sending or as its repeat; the pacer's Outlet."""
        original, timestamp, marker, payload = packet
        if original is None:
            sequence = self._sequence
            self._sequence = (sequence + 1) & 0xFFFF
            self._history[sequence % SEND_HISTORY] = Outgoing(sequence, timestamp, marker, payload)
            data = header(self._payload_type, marker, sequence, timestamp, self.ssrc, self._extension()) + payload
            if len(payload) >= PADDING:
                self._large = sequence
            self._octets += len(payload)
            self._packets += 1
            if marker:
                self._last = timestamp, now
        elif self._rtx_payload_type is None:
            data = header(self._payload_type, marker, original, timestamp, self.ssrc, self._extension()) + payload
        else:
            # RFC 4588 section 4: the original sequence number stands before the payload.
            sequence = self._rtx_sequence
            self._rtx_sequence = (sequence + 1) & 0xFFFF
            data = header(self._rtx_payload_type, marker, sequence, timestamp, self.rtx_ssrc, self._extension())
            data += original.to_bytes(2) + payload
        self.octets += len(payload)
        self._put(data, len(payload) if original is None else 0, now, cluster)
        if original is None and self._protection is not None and self._protection.on:
            return len(data) + self._protect(sequence, data, timestamp, marker, now, cluster)
        return len(data)

    def _put(self, data: bytes, useful: int, now: int, cluster: int | None) -> None:
        """Sends a packet, of which so many bytes are new payload."""
        if self._controller is not None:
            size = len(data) + OVERHEAD
            self._line += size - self._line / SHARE_PACKETS
            self._useful += useful - self._useful / SHARE_PACKETS
            if self._transport_cc is not None:
                self._controller.sent(self._transport_number, size, now, cluster)
                self._transport_number = (self._transport_number + 1) & 0xFFFF
        self._send_rtp(data)

    def _protect(self, sequence: int, data: bytes, timestamp: int, marker: bool, now: int, cluster: int | None) -> int:
        """Sends the repair packets that are due after a packet; returns their bytes."""
        assert self._protection is not None
        assert self._fec_payload_type is not None
        size = 0
        for payload in self._protection.sent(sequence, data, marker, self.ssrc):
            number = self._fec_sequence
            self._fec_sequence = (number + 1) & 0xFFFF
            repair = header(self._fec_payload_type, False, number, timestamp, self.fec_ssrc, self._extension()) + payload
            self.octets += len(payload)
            self.repairs += 1
            size += len(repair)
            self._put(repair, 0, now, cluster)
        return size

    def pad(self, now: int, cluster: int) -> int:
        """Repeats a packet of late, which the receiver has and passes over; the pacer's Outlet."""
        for sequence in (self._large, (self._sequence - 1) & 0xFFFF):
            kept = self._history[sequence % SEND_HISTORY]
            if kept is not None and kept.sequence == sequence:
                return self.transmit(kept, now, cluster)
        return 0

    def transport_feedback(self, packet: bytes, now: int) -> None:
        """Takes a transport-wide feedback of the peer's, an RTCP packet (RTPFB, FMT 15)."""
        if self._transport_cc is None or self._controller is None:
            return
        try:
            arrivals = self._feedback.read(packet)
        except ValueError:
            return
        self._controller.feedback(arrivals, now)
        self._control(now)

    def tick(self, now: int) -> None:
        if self._controller is not None:
            self._controller.tick(now)
            self._control(now)

    def close(self) -> None:
        """Stops the timer; what waits is forgotten, and what was sent."""
        if self._pacer is not None:
            self._pacer.close()
        self._history = [None] * SEND_HISTORY

    def rtcp(self, packet: AnyRtcpPacket, now: int) -> None:
        """Takes a feedback or report of the peer's, whichever stream it is about."""
        if isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
            for report in packet.reports:
                if report.ssrc == self.ssrc:
                    self._report(report, now)
        elif isinstance(packet, RtcpRtpfbPacket):
            if packet.fmt == RTCP_RTPFB_NACK and packet.media_ssrc == self.ssrc:
                if now - self._burst_began >= RETRANSMISSION_WINDOW:
                    self._burst_began, self._burst = now, 0
                for sequence in packet.lost[: RETRANSMISSIONS - self._burst]:
                    self._burst += 1
                    self._retransmit(sequence)
        elif isinstance(packet, RtcpPsfbPacket):
            if packet.fmt == RTCP_PSFB_PLI and packet.media_ssrc == self.ssrc:
                self._on_keyframe_request()
            elif packet.fmt == RTCP_PSFB_FIR:
                # RFC 5104 section 4.3.1: the SSRC stands in each entry.
                if any(int.from_bytes(packet.fci[at : at + 4]) == self.ssrc for at in range(0, len(packet.fci) - 7, 8)):
                    self._on_keyframe_request()
            elif packet.fmt == RTCP_PSFB_APP:
                self._estimate(packet.fci, now)

    def sender_report(self, now: int) -> bytes | None:
        """Sender report and CNAME (RFC 3550 section 6.4.1, 6.5.1), or None before the first packet."""
        if self._last is None:
            return None
        timestamp, sent = self._last
        # As of now, so that no two reports say the same, by which their answers would be taken for each other's.
        timestamp += (now - sent) * self._clock_rate // SECOND
        unix = time.time_ns() if self._epoch is None else self._epoch + timestamp * SECOND // self._clock_rate
        ntp = ((unix + NTP_EPOCH * SECOND) << 32) // SECOND
        self._reported = ((ntp >> 16) & 0xFFFFFFFF, now)
        report = RtcpSrPacket(
            ssrc=self.ssrc,
            sender_info=RtcpSenderInfo(
                ntp_timestamp=ntp,
                rtp_timestamp=timestamp & 0xFFFFFFFF,
                packet_count=self._packets & 0xFFFFFFFF,
                octet_count=self._octets & 0xFFFFFFFF,
            ),
        )
        names = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=self.ssrc, items=[(1, self.cname.encode())])])
        return bytes(report) + bytes(names)

    def _extension(self) -> bytes:
        extension = self._mid
        if self._abs_send_time is not None:
            # 6.18 fixed point seconds, http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
            stamp = (time.time_ns() << 18) // SECOND & 0xFFFFFF
            extension += pack("!I", (((self._abs_send_time << 4) | 2) << 24) | stamp)
        if self._transport_cc is not None:
            extension += pack("!BH", (self._transport_cc << 4) | 1, self._transport_number)
        return extension

    def _retransmit(self, sequence: int) -> None:
        kept = self._history[(sequence & 0xFFFF) % SEND_HISTORY]
        if kept is None or kept.sequence != sequence & 0xFFFF:
            return
        if self._pacer is not None:
            self._pacer.repeat([kept])
        else:
            self.transmit(kept, self._clock(), None)
            self.flush()

    def _control(self, now: int) -> None:
        """Hands on what the controller decided."""
        if self._controller is None or self._pacer is None:
            return
        self._pacer.bitrate = self._controller.target
        target = self._controller.target
        if self._transport_cc is not None:
            # Headers, retransmissions and repair packets have their part of the line: the encoder gets what is left.
            target = int(target * self._useful / self._line)
        if abs(target - self._told) * BITRATE_STEP >= self._told:
            self._told = target
            self._on_bitrate(target)
        # Only RTX can pad: a repeat under the media's own number would be a replay to SRTP.
        if self._packets and self._rtx_payload_type is not None and self._transport_cc is not None:
            probe = self._controller.probe(now)
            if probe is not None:
                self._pacer.probe(probe)

    def _report(self, report: RtcpReceiverInfo, now: int) -> None:
        self.packets_lost = max(0, report.packets_lost)
        if self._controller is not None:
            self._controller.receiver_report(report.fraction_lost / 256, self.round_trip, now)
        if self._reported is not None and report.lsr == self._reported[0] and report.lsr:
            trip = now - self._reported[1] - report.dlsr * SECOND // 65536
            if 0 <= trip < 10 * SECOND:
                self.round_trip = trip if self.round_trip is None else (7 * self.round_trip + trip) // 8
        if self._protection is not None:
            self._protection.reported(report.fraction_lost / 256, self.round_trip)

    def _estimate(self, fci: bytes, now: int) -> None:
        """Receiver Estimated Maximum Bitrate, draft-alvestrand-rmcat-remb-03."""
        try:
            bitrate, ssrcs = unpack_remb_fci(fci)
        except (ValueError, IndexError, struct.error):
            return
        if self.ssrc not in ssrcs:
            return
        if self._controller is None:
            self._on_bitrate(bitrate)
        else:
            self._controller.remb(bitrate, now)
            self._control(now)
