"""One video stream from a peer: RTP in, pictures out, and the feedback that keeps it whole."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiortc.rtp import RTCP_PSFB_PLI, RtcpPsfbPacket, RtcpReceiverInfo, RtcpSrPacket

from stream.limits import FEEDBACK_INTERVAL, KEYFRAME_INTERVAL, KEYFRAME_RETRY, NACK_INTERVAL, SECOND, SSRC_CHANGES
from stream.picture import EncodedPicture
from stream.rtc import nack, rtp
from stream.rtc.alignment import Mapping, at_report
from stream.rtc.assembler import Assembler, Assembly
from stream.rtc.flexfec import Recovery
from stream.rtc.nack import Nack
from stream.rtc.parameters import VideoParameters
from stream.rtc.payload import FORMATS
from stream.rtc.reception import Reception
from stream.rtc.rtp import RtpPacket, Unwrapper, extension_value
from stream.rtc.transport_cc import TransportFeedback
from transforms.complaint import Complaint
from transforms.frame import Timeline

logger = logging.getLogger(__name__)

CLOCK_RATE = 90_000
"""Hz, of every video payload format."""


class VideoReceiver:
    """Lives on the event loop; ``rtp``, ``sender_report`` and ``tick`` are called there, with the time in ns."""

    def __init__(
        self,
        parameters: VideoParameters,
        *,
        ssrc: int,
        send_rtcp: Callable[[bytes], None],
        on_picture: Callable[[EncodedPicture], None],
    ) -> None:
        self._parameters = parameters
        self._local_ssrc = ssrc
        self._send_rtcp = send_rtcp
        self._on_picture = on_picture
        self._transport_feedback = TransportFeedback()
        self._feedback_sent = 0
        self._complaint = Complaint(logger)
        self._keyframe_asked: int | None = None
        self._keyframe_wanted = False
        self._ssrc: int | None = None
        self._ssrc_changes = 0
        self._left: set[int] = set()
        """SSRCs of streams that were restarted under another; what still comes of them is late."""
        self._rtx_ssrc: int | None = None
        self._codec = ""
        self._last: tuple[int, int] | None = None
        """pts of the last picture, and when it was received."""
        self._start(0)
        self.corrupt = 0
        """Pictures that could not be put together from their packets."""
        self.octets = 0
        """Bytes of payload received."""
        self._lost_before = 0

    def _start(self, ssrc: int) -> None:
        """A new RTP stream begins."""
        self._sequence = Unwrapper(16)
        self._timestamp = Unwrapper(32)
        self._offset: int | None = None
        self._nack = Nack()
        self._reception = Reception(ssrc, CLOCK_RATE)
        self._assembler: Assembler | None = None
        self.mapping: Mapping | None = None
        """What the last sender report says of the peer's clock; None before the first."""
        self._recovery: Recovery | None = None
        """None until the first repair packet: nothing is kept for a peer that sends none."""

    @property
    def codec(self) -> str:
        """Encoding name of what comes in; empty before the first packet."""
        return self._codec

    @property
    def packets_lost(self) -> int:
        return self._reception.lost

    @property
    def pictures_lost(self) -> int:
        """Times that a missing packet, or one that made no sense, cost pictures."""
        return self.corrupt + self._lost_before + (self._assembler.lost if self._assembler else 0)

    def rtp(self, packet: RtpPacket, now: int, data: bytes = b"") -> None:
        """Takes one packet of a payload type of this section; ``data`` is the whole of it, to recover others with."""
        self._arrived(packet, now)
        payload_type, sequence, payload = packet.payload_type, packet.sequence, packet.payload
        repeated = self._parameters.rtx.get(payload_type)
        if repeated is not None:
            # RFC 4588 section 4: the original sequence number stands before the payload; without one it is padding.
            if len(payload) <= 2 or self._ssrc is None or packet.ssrc in self._left:
                return
            self._rtx_ssrc = packet.ssrc
            payload_type, sequence, payload = repeated, int.from_bytes(payload[:2]), payload[2:]
        elif packet.ssrc != self._ssrc and not self._adopt(packet.ssrc):
            return
        codec = self._parameters.codecs.get(payload_type)
        if codec is None:
            return
        if self._assembler is None or codec != self._codec:
            self._codec = codec
            self._format = FORMATS[codec]
            self._leave_assembler()
            self._assembler = Assembler(self._format.starts_keyframe)
        self.octets += len(payload)
        number = self._sequence(sequence)
        recovered: list[bytes] = []
        if repeated is None:
            self._reception.add(number, packet.timestamp, now)
            if self._recovery is not None and data:
                recovered = self._recovery.media(number, data)
        self._put(number, packet.timestamp, packet.marker, payload, now)
        self._recovered(recovered, now)

    def repair(self, packet: RtpPacket, now: int) -> None:
        """Takes a repair packet of flexfec-03."""
        self._arrived(packet, now)
        if self._ssrc is None or self._assembler is None:
            return
        self.octets += len(packet.payload)
        if self._recovery is None:
            self._recovery = Recovery()
        self._recovered(self._recovery.repair(packet.payload, self._ssrc), now)

    def _arrived(self, packet: RtpPacket, now: int) -> None:
        if self._parameters.extensions.transport_cc is not None and packet.extension:
            value = extension_value(packet.extension, self._parameters.extensions.transport_cc)
            if value is not None and len(value) == 2:
                self._transport_feedback.received(int.from_bytes(value), now)

    def _recovered(self, packets: list[bytes], now: int) -> None:
        for data in packets:
            try:
                packet = rtp.parse(data)
            except ValueError:
                # A repair packet can hold anything.
                continue
            if self._parameters.codecs.get(packet.payload_type) == self._codec:
                self._put(self._sequence(packet.sequence), packet.timestamp, packet.marker, packet.payload, now)

    def _put(self, number: int, timestamp: int, marker: bool, payload: bytes, now: int) -> None:
        """Takes a packet of the media that came, came again or was recovered."""
        assert self._assembler is not None
        hopeless = self._nack.received(number)
        if hopeless:
            self._assembler.give_up()
        for assembly in self._assembler.push(number, timestamp, marker, payload, now):
            self._deliver(assembly)
        self._nack.forget_before(self._assembler.needed)
        self._ask_again(now)
        if self._assembler.waiting:
            self.request_keyframe(now)

    def sender_report(self, packet: RtcpSrPacket, now: int) -> None:
        if packet.ssrc == self._ssrc:
            self._reception.sender_report(packet.sender_info.ntp_timestamp, now)
            if self._offset is not None and self._last is not None:
                pts = self._last[0]
                self.mapping = at_report(packet.sender_info, pts - self._offset, pts)

    def round_trip(self, nanoseconds: int) -> None:
        """Tells the measured round trip: asking for a packet twice within one is waste."""
        self._nack.interval = max(NACK_INTERVAL // 2, nanoseconds + nanoseconds // 4)

    def request_keyframe(self, now: int) -> None:
        """Asks for a keyframe by PLI (RFC 4585 section 6.3.1), at once or when the last request is old enough."""
        self._keyframe_wanted = True
        if self._ssrc is None or (self._keyframe_asked is not None and now - self._keyframe_asked < KEYFRAME_INTERVAL):
            return
        self._keyframe_asked = now
        self._send_rtcp(bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._local_ssrc, media_ssrc=self._ssrc)))

    def tick(self, now: int) -> None:
        """Repeats what was not answered, gives up what is too old, sends the feedback that is due."""
        if self._assembler is not None:
            if self._assembler.expire(now):
                self._nack.forget_before(self._assembler.needed)
                if self._assembler.waiting:
                    self.request_keyframe(now)
            self._ask_again(now)
            if self._keyframe_wanted and (self._keyframe_asked is None or now - self._keyframe_asked >= KEYFRAME_RETRY):
                self.request_keyframe(now)
        if self._ssrc is not None and now - self._feedback_sent >= FEEDBACK_INTERVAL:
            self._feedback_sent = now
            feedback = self._transport_feedback.feedback(self._local_ssrc, self._ssrc)
            if feedback is not None:
                self._send_rtcp(feedback)

    def report(self, now: int) -> RtcpReceiverInfo | None:
        """The block for the next receiver report, or None before the first packet."""
        return self._reception.report(now) if self._ssrc is not None else None

    def _adopt(self, ssrc: int) -> bool:
        """Follows a publisher that restarts its stream under another SSRC, a bounded number of times."""
        if ssrc in self._left:
            return False
        if self._ssrc_changes >= SSRC_CHANGES:
            self._complaint("a publisher changed its SSRC more than %d times; its packets are ignored", SSRC_CHANGES)
            return False
        self._ssrc_changes += 1
        self._left.update(old for old in (self._ssrc, self._rtx_ssrc) if old is not None)
        self._rtx_ssrc = None
        self._leave_assembler()
        self._ssrc = ssrc
        self._start(ssrc)
        return True

    def _leave_assembler(self) -> None:
        """Another codec or RTP stream begins."""
        if self._assembler is not None:
            self._lost_before += self._assembler.lost

    def _ask_again(self, now: int) -> None:
        missing = self._nack.due(now)
        if missing and self._ssrc is not None:
            self._send_rtcp(nack.write(self._local_ssrc, self._ssrc, missing))

    def _deliver(self, assembly: Assembly) -> None:
        try:
            data = self._format.join(assembly.payloads)
        except ValueError as error:
            self.corrupt += 1
            self._complaint("a picture could not be put together from its packets: %s", error)
            self.request_keyframe(assembly.received)
            return
        if not data:
            return
        keyframe = self._format.is_keyframe(assembly.payloads)
        if keyframe:
            self._keyframe_wanted = False
        pts = self._pts(assembly)
        self._on_picture(EncodedPicture(data, pts, keyframe, self._codec, Timeline(received=assembly.received)))

    def _pts(self, assembly: Assembly) -> int:
        """90 kHz, and going on where a restarted stream begins its timestamps anew: receivers do not look back in time."""
        timestamp = self._timestamp(assembly.timestamp)
        if self._offset is None:
            self._offset = 0
            if self._last is not None:
                pts, received = self._last
                self._offset = pts + max(1, (assembly.received - received) * CLOCK_RATE // SECOND) - timestamp
        self._last = timestamp + self._offset, assembly.received
        return self._last[0]
