"""Sound on a loop: Opus from a peer goes back to it as it came, never decoded (RFC 7587)."""

from __future__ import annotations

from collections.abc import Callable

from aiortc.rtp import AnyRtcpPacket, RtcpReceiverInfo, RtcpSrPacket

from stream.rtc.parameters import AudioParameters
from stream.rtc.reception import Reception
from stream.rtc.rtp import RtpPacket, Unwrapper
from stream.rtc.sender import RtpSender

CLOCK_RATE = 48_000
"""Hz, of Opus in RTP whatever its bandwidth."""


class AudioRelay:
    """One audio section of a peer; lives on the event loop."""

    def __init__(
        self,
        parameters: AudioParameters,
        *,
        cname: str,
        send_rtp: Callable[[bytes], None],
        send_rtcp: Callable[[bytes], None],
        flush: Callable[[], None],
    ) -> None:
        self._parameters = parameters
        self._sequence = Unwrapper(16)
        self._reception: Reception | None = None
        self.sender = RtpSender(
            payload_type=parameters.payload_type,
            rtx_payload_type=None,
            extensions=parameters.extensions,
            mid=parameters.mid,
            cname=cname,
            send_rtp=send_rtp,
            send_rtcp=send_rtcp,
            flush=flush,
        )

    def rtp(self, packet: RtpPacket, now: int) -> None:
        if packet.payload_type != self._parameters.payload_type or not self._parameters.receive:
            return
        if self._reception is None or self._reception.ssrc != packet.ssrc:
            self._reception = Reception(packet.ssrc, CLOCK_RATE)
            self._sequence = Unwrapper(16)
        self._reception.add(self._sequence(packet.sequence), packet.timestamp, now)
        if self._parameters.send and packet.payload:
            self.sender.send([packet.payload], packet.timestamp)

    def rtcp(self, packet: AnyRtcpPacket, now: int) -> None:
        self.sender.rtcp(packet, now)

    def sender_report(self, packet: RtcpSrPacket, now: int) -> None:
        if self._reception is not None and packet.ssrc == self._reception.ssrc:
            self._reception.sender_report(packet.sender_info.ntp_timestamp, now)

    def sender_report_due(self, now: int) -> bytes | None:
        return self.sender.sender_report(now)

    def report(self, now: int) -> RtcpReceiverInfo | None:
        return self._reception.report(now) if self._reception is not None else None
