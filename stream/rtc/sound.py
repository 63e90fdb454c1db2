"""Opus from a peer and to a peer, as RTP carries it (RFC 7587): never decoded here."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiortc.rtp import AnyRtcpPacket, RtcpReceiverInfo, RtcpSrPacket

from stream.limits import SECOND, SSRC_CHANGES
from stream.rtc.alignment import Mapping, at_report
from stream.rtc.parameters import AudioParameters
from stream.rtc.reception import Reception
from stream.rtc.rtp import RtpPacket, Unwrapper
from stream.rtc.sender import Outgoing, RtpSender
from stream.sound import opus
from stream.sound.packet import CLOCK_RATE, SoundPacket

REORDERED = 64
"""Packets behind the newest that a late one is taken: over 1 s. What is older was delivered, or is of no use any more."""

TALKSPURT = CLOCK_RATE // 10
"""48 kHz: after a silence of this length a talkspurt begins. A lost packet leaves less, Opus's DTX leaves 400 ms."""


class SoundReceiver:
    """One audio section of a peer that sends. Lives on the event loop.

    Each packet is handed on once, and at once; one that the line delayed comes after those that it was to come before.
    """

    def __init__(self, parameters: AudioParameters, on_sound: Callable[[SoundPacket], None]) -> None:
        self._parameters = parameters
        self._on_sound = on_sound
        self._reception: Reception | None = None
        self._left: set[int] = set()
        """SSRCs of streams that were restarted under another; what still comes of them is late."""
        self._last: tuple[int, int] | None = None
        """pts of the newest packet, and when it was received."""
        self._newest = 0
        self._received = 0
        """The packets up to the newest that were received: bit n is the n-th before it."""
        self.mapping: Mapping | None = None
        """What the last sender report says of the peer's clock: (NTP time, pts); None before the first of this RTP stream."""
        self.octets = 0
        """Bytes of payload received."""
        self.lost_before = 0

    @property
    def packets_lost(self) -> int:
        return self.lost_before + (self._reception.lost if self._reception is not None else 0)

    def rtp(self, packet: RtpPacket, now: int) -> None:
        """Takes a packet; one of another payload type, or without payload, is passed over."""
        if packet.payload_type != self._parameters.payload_type or not self._parameters.receive:
            return
        if (self._reception is None or self._reception.ssrc != packet.ssrc) and not self._adopt(packet.ssrc):
            return
        assert self._reception is not None
        number = self._sequence(packet.sequence)
        if not self._is_new(number):
            return
        self._reception.add(number, packet.timestamp, now)
        if not packet.payload:
            return
        self.octets += len(packet.payload)
        pts = self._pts(packet.timestamp, now)
        self._on_sound(SoundPacket(packet.payload, pts, "OPUS", b"", now))

    def sender_report(self, packet: RtcpSrPacket, now: int) -> None:
        if self._reception is None or packet.ssrc != self._reception.ssrc:
            return
        self._reception.sender_report(packet.sender_info.ntp_timestamp, now)
        if self._offset is not None and self._last is not None:
            pts = self._last[0]
            self.mapping = at_report(packet.sender_info, pts - self._offset, pts)

    def report(self, now: int) -> RtcpReceiverInfo | None:
        """The block for the next receiver report, or None before the first packet."""
        return self._reception.report(now) if self._reception is not None else None

    def _adopt(self, ssrc: int) -> bool:
        """Follows a peer that restarts its stream under another SSRC, a bounded number of times."""
        if ssrc in self._left or len(self._left) >= SSRC_CHANGES:
            return False
        if self._reception is not None:
            self._left.add(self._reception.ssrc)
            self.lost_before += self._reception.lost
        self._reception = Reception(ssrc, CLOCK_RATE)
        self._sequence = Unwrapper(16)
        self._timestamp = Unwrapper(32)
        self._offset: int | None = None
        self._received = 0
        self.mapping = None
        return True

    def _is_new(self, number: int) -> bool:
        """Whether a packet has not been received before; False too where that is too long ago to know."""
        if not self._received:
            self._newest, self._received = number, 1
            return True
        ahead = number - self._newest
        if ahead > 0:
            self._newest = number
            self._received = (self._received << min(ahead, REORDERED) | 1) & ((1 << REORDERED) - 1)
            return True
        bit = 1 << -ahead
        if -ahead >= REORDERED or self._received & bit:
            return False
        self._received |= bit
        return True

    def _pts(self, timestamp: int, now: int) -> int:
        """48 kHz, and going on where a restarted stream begins its timestamps anew."""
        timestamp = self._timestamp(timestamp)
        if self._offset is None:
            self._offset = 0
            if self._last is not None:
                pts, received = self._last
                self._offset = pts + max(1, (now - received) * CLOCK_RATE // SECOND) - timestamp
        pts = timestamp + self._offset
        if self._last is None or pts > self._last[0]:
            self._last = pts, now
        return pts


class SoundSender:
    """One audio section of a peer that is sent to. Lives on the event loop. Opus leaves as it comes, unpaced: it is little."""

    def __init__(
        self,
        parameters: AudioParameters,
        *,
        cname: str,
        send_rtp: Callable[[bytes], None],
        send_rtcp: Callable[[bytes], None],
        flush: Callable[[], None],
        epoch: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``epoch`` is when pts was 0, Unix ns: the same as the pictures'."""
        self._clock = clock
        self._silent_from: int | None = None
        """pts at which the last packet ends."""
        self.rtp = RtpSender(
            payload_type=parameters.payload_type,
            rtx_payload_type=None,
            extensions=parameters.extensions,
            mid=parameters.mid,
            cname=cname,
            send_rtp=send_rtp,
            send_rtcp=send_rtcp,
            flush=flush,
            clock=clock,
            clock_rate=CLOCK_RATE,
            epoch=epoch,
        )

    @property
    def ssrc(self) -> int:
        return self.rtp.ssrc

    @property
    def round_trip(self) -> int | None:
        """ns, smoothed; None until the peer reported."""
        return self.rtp.round_trip

    @property
    def packets_lost(self) -> int:
        """As the peer reports."""
        return self.rtp.packets_lost

    def send(self, packet: SoundPacket) -> None:
        """Sends a packet of Opus. The marker bit begins a talkspurt (RFC 7587 section 4.2, RFC 3551 section 4.1)."""
        marker = self._silent_from is None or packet.pts - self._silent_from >= TALKSPURT
        self._silent_from = packet.pts + opus.duration(packet.data)
        self.rtp.transmit(Outgoing(None, packet.pts, marker, packet.data), self._clock(), None)
        self.rtp.flush()

    def rtcp(self, packet: AnyRtcpPacket, now: int) -> None:
        """Takes a feedback or report of the peer's, whichever stream it is about."""
        self.rtp.rtcp(packet, now)

    def sender_report(self, now: int) -> bytes | None:
        """The report that is due, or None before the first packet."""
        return self.rtp.sender_report(now)
