"""One RTP stream to a peer: encoded pictures in, RTP out, and answers to the peer's feedback."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable, Sequence
from struct import pack

from aiortc.clock import current_ntp_time
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
from stream.rtc.parameters import HeaderExtensions
from stream.rtc.rtp import header


def random_ssrc() -> int:
    """RFC 3550 section 8.1; never 0, which REMB uses for "none"."""
    return secrets.randbits(31) + 1


class RtpSender:
    """Lives on the event loop. Pictures arrive already split into payloads, so that many senders share one encode."""

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
        on_keyframe_request: Callable[[], None] = lambda: None,
        on_bitrate: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.ssrc = random_ssrc()
        self.rtx_ssrc = random_ssrc()
        self.cname = cname
        self._payload_type = payload_type
        self._rtx_payload_type = rtx_payload_type
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._on_keyframe_request = on_keyframe_request
        self._on_bitrate = on_bitrate
        # Kept in the lower half, so that SRTP's rollover guess cannot go wrong on the first packets (RFC 3711 section 3.3.1).
        self._sequence = secrets.randbits(15)
        self._rtx_sequence = secrets.randbits(15)
        self._history: list[tuple[int, int, bool, bytes] | None] = [None] * SEND_HISTORY
        self._abs_send_time = extensions.abs_send_time
        name = mid.encode()
        self._mid = pack("!B", (extensions.mid << 4) | (len(name) - 1)) + name if extensions.mid and 0 < len(name) <= 16 else b""
        self._burst_began = 0
        self._burst = 0
        """Packets repeated since then."""
        self._packets = 0
        self._octets = 0
        self._reported: tuple[int, int] | None = None
        self._last: tuple[int, int] | None = None
        self.round_trip: int | None = None
        """ns, smoothed; None until the peer reported."""
        self.packets_lost = 0
        """As the peer reports."""
        self.octets = 0
        """Bytes of payload sent, retransmissions included."""

    def send(self, payloads: Sequence[bytes], timestamp: int) -> None:
        """Sends one picture (or audio packet), RTP timestamp as given, the marker bit on its last packet."""
        extension = self._extension()
        last = len(payloads) - 1
        for index, payload in enumerate(payloads):
            sequence = self._sequence
            self._sequence = (sequence + 1) & 0xFFFF
            marker = index == last
            self._send_rtp(header(self._payload_type, marker, sequence, timestamp, self.ssrc, extension) + payload)
            self._history[sequence % SEND_HISTORY] = (sequence, timestamp, marker, payload)
            self._octets += len(payload)
        self._packets += len(payloads)
        self.octets = self._octets
        self._last = (current_ntp_time(), timestamp)

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
                self._estimate(packet.fci)

    def sender_report(self, now: int) -> bytes | None:
        """Sender report and CNAME (RFC 3550 section 6.4.1, 6.5.1), or None before the first packet."""
        if self._last is None:
            return None
        ntp, timestamp = self._last
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
        if self._abs_send_time is None:
            return self._mid
        # 6.18 fixed point seconds, http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        stamp = (time.time_ns() << 18) // SECOND & 0xFFFFFF
        return self._mid + pack("!I", (((self._abs_send_time << 4) | 2) << 24) | stamp)

    def _retransmit(self, sequence: int) -> None:
        kept = self._history[(sequence & 0xFFFF) % SEND_HISTORY]
        if kept is None or kept[0] != sequence & 0xFFFF:
            return
        original, timestamp, marker, payload = kept
        if self._rtx_payload_type is None:
            self._send_rtp(header(self._payload_type, marker, original, timestamp, self.ssrc, self._extension()) + payload)
        else:
            self._send_rtp(
                header(self._rtx_payload_type, marker, self._rtx_sequence, timestamp, self.rtx_ssrc, self._extension())
                + original.to_bytes(2)
                + payload
            )
            self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        self.octets += len(payload)

    def _report(self, report: RtcpReceiverInfo, now: int) -> None:
        self.packets_lost = max(0, report.packets_lost)
        if self._reported is not None and report.lsr == self._reported[0] and report.lsr:
            trip = now - self._reported[1] - report.dlsr * SECOND // 65536
            if 0 <= trip < 10 * SECOND:
                self.round_trip = trip if self.round_trip is None else (7 * self.round_trip + trip) // 8

    def _estimate(self, fci: bytes) -> None:
        """Receiver Estimated Maximum Bitrate, draft-alvestrand-rmcat-remb-03."""
        try:
            bitrate, ssrcs = unpack_remb_fci(fci)
        except (ValueError, IndexError, struct.error):
            return
        if self.ssrc in ssrcs:
            self._on_bitrate(bitrate)
