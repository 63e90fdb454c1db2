from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from aiortc.rtp import RTCP_PSFB_PLI, RTCP_RTPFB_NACK, AnyRtcpPacket, RtcpPacket, RtcpPsfbPacket, RtcpRtpfbPacket

from stream.limits import FEEDBACK_INTERVAL, KEYFRAME_INTERVAL, KEYFRAME_RETRY, LOSS_WAIT, MILLISECOND, SECOND, SSRC_CHANGES
from stream.picture import EncodedPicture
from stream.rtc import transport_cc
from stream.rtc.parameters import HeaderExtensions, VideoParameters
from stream.rtc.receiver import VideoReceiver
from stream.rtc.rtp import RtpPacket

KEY, DELTA = b"\x65\x88key", b"\x41\x88delta"
VP8_KEY = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00"
MEDIA, RTX, OURS = 1111, 2222, 3333


@dataclass
class Wire:
    """A receiver, what it gave out and what it sent back; the clock is in milliseconds."""

    extensions: HeaderExtensions = field(default_factory=HeaderExtensions)
    codecs: Mapping[int, str] = field(default_factory=lambda: {96: "H264", 98: "H264", 100: "VP8"})
    pictures: list[EncodedPicture] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    now: int = 1000

    def __post_init__(self) -> None:
        self.receiver = VideoReceiver(
            VideoParameters("0", True, True, self.codecs, {97: 96}, self.extensions),
            ssrc=OURS,
            send_rtcp=self.sent.append,
            on_picture=self.pictures.append,
        )

    def packet(
        self,
        sequence: int,
        payload: bytes = DELTA,
        *,
        timestamp: int | None = None,
        ssrc: int = MEDIA,
        kind: int = 96,
        marker: bool = True,
        extension: bytes = b"",
    ) -> None:
        timestamp = sequence * 3000 if timestamp is None else timestamp
        self.receiver.rtp(
            RtpPacket(kind, marker, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, payload, extension), self.now * MILLISECOND
        )

    def rtx(self, sequence: int, payload: bytes, ssrc: int = RTX) -> None:
        self.packet(7, (sequence & 0xFFFF).to_bytes(2) + payload, timestamp=sequence * 3000, kind=97, ssrc=ssrc)

    def tick(self, milliseconds: int = 0) -> None:
        self.now += milliseconds
        self.receiver.tick(self.now * MILLISECOND)

    def told(self) -> list[AnyRtcpPacket]:
        packets = [packet for data in self.sent for packet in RtcpPacket.parse(data)]
        self.sent.clear()
        return packets

    def plis(self) -> int:
        told = [packet for packet in self.told() if isinstance(packet, RtcpPsfbPacket)]
        assert all((p.fmt, p.ssrc, p.media_ssrc) == (RTCP_PSFB_PLI, OURS, MEDIA) for p in told)
        return len(told)

    def nacks(self) -> list[int]:
        told = [p for p in self.told() if isinstance(p, RtcpRtpfbPacket) and p.fmt == RTCP_RTPFB_NACK]
        assert all((p.ssrc, p.media_ssrc) == (OURS, MEDIA) for p in told)
        return [number & 0xFFFF for packet in told for number in packet.lost]


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_pictures_come_out_with_what_is_known_of_them(wire: Wire) -> None:
    wire.packet(1, KEY)
    wire.now += 5
    wire.packet(2)
    key, delta = wire.pictures
    assert (key.data, key.keyframe, key.codec, key.pts) == (b"\0\0\0\1" + KEY, True, "H264", 3000)
    assert (delta.data, delta.keyframe, delta.pts) == (b"\0\0\0\1" + DELTA, False, 6000)
    assert delta.timeline.received - key.timeline.received == 5 * MILLISECOND
    assert wire.told() == []


def test_a_stream_that_begins_without_a_keyframe_asks_for_one_at_once_and_again(wire: Wire) -> None:
    wire.packet(1)
    assert wire.plis() == 1
    for number in range(2, 100):
        wire.now += 10
        wire.packet(number)
    assert wire.plis() == 99 * 10 * MILLISECOND // KEYFRAME_INTERVAL
    wire.packet(100, KEY)
    wire.tick(10_000)
    assert wire.plis() == 0


def test_a_keyframe_that_does_not_come_is_asked_for_again_though_nothing_comes_at_all(wire: Wire) -> None:
    wire.packet(1)
    assert wire.plis() == 1
    for _ in range(100):
        wire.tick(50)
    assert wire.plis() == 5000 * MILLISECOND // KEYFRAME_RETRY


def test_requests_by_others_share_the_interval(wire: Wire) -> None:
    wire.packet(1, KEY)
    for _ in range(50):
        wire.receiver.request_keyframe(wire.now * MILLISECOND)
    assert wire.plis() == 1


def test_nobody_is_asked_before_anything_came(wire: Wire) -> None:
    wire.receiver.request_keyframe(wire.now * MILLISECOND)
    wire.tick(5000)
    assert wire.told() == []
    assert wire.receiver.report(wire.now) is None


def test_a_missing_packet_is_asked_for_and_its_repeat_taken(wire: Wire) -> None:
    wire.packet(65_534, KEY)
    wire.packet(65_538)
    assert wire.nacks() == [65_535, 0, 1]
    for number in (65_537, 65_535):
        wire.rtx(number, DELTA)
    wire.packet(65_536)
    assert [picture.pts for picture in wire.pictures] == [3000 * n for n in range(65_534, 65_539)]
    assert wire.nacks() == []


def test_after_giving_up_a_keyframe_is_asked_for(wire: Wire) -> None:
    wire.packet(1, KEY)
    wire.packet(3)
    wire.told()
    wire.tick(LOSS_WAIT // MILLISECOND - 1)
    assert wire.plis() == 0
    wire.tick(1)
    assert wire.plis() == 1
    wire.tick(100)
    assert wire.nacks() == []


def test_no_keyframe_is_asked_for_where_one_is_on_its_way(wire: Wire) -> None:
    wire.packet(1, KEY)
    wire.packet(3, KEY, marker=False)
    wire.told()
    wire.tick(LOSS_WAIT // MILLISECOND)
    assert wire.plis() == 0


def test_a_burst_too_long_to_ask_for_costs_a_keyframe_at_once(wire: Wire) -> None:
    wire.packet(1, KEY)
    wire.packet(1001)
    told = wire.told()
    assert [packet.fmt for packet in told if isinstance(packet, RtcpPsfbPacket)] == [RTCP_PSFB_PLI]
    assert len(told) == 1


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\1"])
def test_rtx_without_content_or_before_the_media_is_padding(wire: Wire, payload: bytes) -> None:
    wire.packet(9, payload + b"something" * (not payload), kind=97, ssrc=RTX)
    assert wire.receiver.codec == ""
    wire.packet(1, KEY)
    wire.packet(9, payload, kind=97, ssrc=RTX)
    assert len(wire.pictures) == 1
    assert wire.told() == []


def test_a_publisher_that_restarts_is_followed(wire: Wire) -> None:
    wire.packet(500, KEY)
    wire.now += 1000
    wire.packet(7, KEY, ssrc=MEDIA + 1, timestamp=90)
    wire.packet(8, ssrc=MEDIA + 1, timestamp=3090)
    first, second, third = wire.pictures
    assert second.pts == first.pts + 90_000
    assert third.pts == second.pts + 3000
    report = wire.receiver.report(SECOND)
    assert report is not None
    assert (report.ssrc, report.highest_sequence, report.packets_lost) == (MEDIA + 1, 8, 0)


def test_what_comes_late_of_a_stream_that_was_left_is_ignored(wire: Wire) -> None:
    wire.packet(500, KEY)
    wire.packet(502)
    wire.rtx(501, DELTA)
    wire.packet(7, KEY, ssrc=MEDIA + 1)
    wire.packet(503)
    wire.rtx(504, DELTA)
    wire.packet(8, ssrc=MEDIA + 1)
    assert [picture.keyframe for picture in wire.pictures] == [True, False, False, True, False]
    report = wire.receiver.report(SECOND)
    assert report is not None
    assert report.ssrc == MEDIA + 1


def test_a_publisher_that_restarts_without_end_is_ignored(wire: Wire) -> None:
    for ssrc in range(3 * SSRC_CHANGES):
        wire.packet(1, KEY, ssrc=ssrc + 10)
    assert len(wire.pictures) == SSRC_CHANGES


def test_the_payload_type_may_change_within_a_codec(wire: Wire) -> None:
    wire.packet(1, KEY)
    wire.packet(2, kind=98)
    assert len(wire.pictures) == 2


def test_the_codec_may_change_with_a_keyframe(wire: Wire) -> None:
    wire.packet(1, KEY)
    wire.packet(2, b"\x10\x01\x00\x00", kind=100)
    assert wire.plis() == 1
    wire.packet(3, VP8_KEY, kind=100)
    wire.packet(4, KEY)
    assert [(picture.codec, picture.keyframe) for picture in wire.pictures] == [("H264", True), ("VP8", True), ("H264", True)]
    assert [picture.pts for picture in wire.pictures] == [3000, 9000, 12_000]


def test_other_payload_types_are_ignored(wire: Wire) -> None:
    wire.packet(1, KEY, kind=111)
    assert wire.pictures == []


def test_a_picture_that_is_no_picture_is_counted_and_a_keyframe_asked_for(wire: Wire) -> None:
    wire.packet(1, KEY)
    wire.packet(2, b"\x7c\x05fragment without a beginning")
    assert wire.receiver.corrupt == 1
    assert wire.plis() == 1
    wire.packet(3, KEY)
    assert len(wire.pictures) == 2


def element(number: int) -> bytes:
    return bytes((3 << 4 | 1,)) + number.to_bytes(2) + b"\0"


def feedbacks(wire: Wire) -> int:
    return sum(data[1] == 205 and data[0] & 0x1F == transport_cc.FORMAT for data in wire.sent)


def test_transport_feedback_is_sent_at_its_interval() -> None:
    wire = Wire(extensions=HeaderExtensions(transport_cc=3))
    wire.packet(1, KEY, extension=element(1))
    wire.tick()
    for number in range(2, 101):
        wire.packet(number, extension=element(number))
        wire.tick(10)
    assert feedbacks(wire) == 1 + 990 * MILLISECOND // FEEDBACK_INTERVAL


def test_transport_feedback_is_not_sent_where_it_was_not_negotiated(wire: Wire) -> None:
    for number in range(1, 20):
        wire.packet(number, KEY, extension=element(number))
        wire.tick(60)
    assert wire.told() == []


def test_timestamps_wrap(wire: Wire) -> None:
    for step in range(6):
        wire.packet(step, KEY if not step else DELTA, timestamp=0xFFFFFFFF - 6000 + 3000 * step)
    steps = {after.pts - before.pts for before, after in zip(wire.pictures, wire.pictures[1:], strict=False)}
    assert steps == {3000}
