from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from aiortc.rtp import RtcpPacket, RtcpSenderInfo, RtcpSrPacket

from stream.limits import MILLISECOND, SECOND, SSRC_CHANGES
from stream.rtc import rtp
from stream.rtc.alignment import Mapping
from stream.rtc.parameters import AudioParameters
from stream.rtc.rtp import RtpPacket
from stream.rtc.sender import NTP_EPOCH
from stream.rtc.sound import REORDERED, TALKSPURT, SoundReceiver, SoundSender
from stream.sound.packet import SoundPacket

OPUS = b"\xfcsound"
PARAMETERS = AudioParameters("1", True, True, 111)
HALF = 1 << 31


@dataclass
class Peer:
    """A receiver and what it handed on; packets are numbered, 20 ms each."""

    parameters: AudioParameters = PARAMETERS
    sound: list[SoundPacket] = field(default_factory=list)
    base: int = 0
    """RTP timestamp of packet 0."""

    def __post_init__(self) -> None:
        self.receiver = SoundReceiver(self.parameters, self.sound.append)

    def send(self, *numbers: int, ssrc: int = 7, payload: bytes = OPUS, kind: int = 111, now: int | None = None) -> None:
        for number in numbers:
            timestamp = (self.base + number * 960) & 0xFFFFFFFF
            packet = RtpPacket(kind, False, number & 0xFFFF, timestamp, ssrc, payload, b"")
            self.receiver.rtp(packet, (number * 20 if now is None else now) * MILLISECOND)

    def report(self, timestamp: int, ntp: int = 5 << 32, ssrc: int = 7) -> Mapping | None:
        info = RtcpSenderInfo(ntp_timestamp=ntp, rtp_timestamp=timestamp & 0xFFFFFFFF, packet_count=1, octet_count=1)
        self.receiver.sender_report(RtcpSrPacket(ssrc=ssrc, sender_info=info), 3 * SECOND)
        return self.receiver.mapping

    @property
    def pts(self) -> list[int]:
        return [packet.pts - self.base for packet in self.sound]


def test_a_packet_is_handed_on_as_it_came() -> None:
    peer = Peer(base=4000)
    peer.send(3)
    assert peer.sound == [SoundPacket(OPUS, 4000 + 3 * 960, "OPUS", b"", 60 * MILLISECOND)]
    assert peer.receiver.octets == len(OPUS)


def test_numbers_and_timestamps_wrap() -> None:
    peer = Peer(base=(1 << 32) - 70_000 * 960)
    numbers = range(65_500, 70_100)
    peer.send(*numbers)
    assert peer.pts == [number * 960 for number in numbers]


def test_each_packet_is_handed_on_once_whenever_it_comes() -> None:
    peer = Peer()
    peer.send(10, 11, 13, 12, 11, 12, 13, 14, 9, 10)
    assert peer.pts == [number * 960 for number in (10, 11, 13, 12, 14, 9)]
    peer.send(14 + REORDERED)
    peer.send(15, 14, 16)
    assert peer.pts[6:] == [number * 960 for number in (14 + REORDERED, 15, 16)]


def test_what_is_no_sound_of_this_section_is_passed_over() -> None:
    peer = Peer()
    peer.send(1, kind=96)
    peer.send(2, payload=b"")
    assert peer.sound == []
    deaf = Peer(AudioParameters("1", False, True, 111))
    deaf.send(1)
    assert deaf.sound == []
    assert deaf.receiver.report(SECOND) is None


def test_a_restarted_stream_goes_on_in_time() -> None:
    peer = Peer()
    peer.send(1, 2)
    peer.base = 3_000_000_000
    peer.send(60_000, 60_001, ssrc=8, now=1040)
    peer.send(3, ssrc=7)  # late, of the stream that was left
    assert [packet.pts for packet in peer.sound] == [960, 1920, 1920 + 48_000, 1920 + 48_000 + 960]
    assert peer.receiver.packets_lost == 0


def test_restarts_are_bounded() -> None:
    peer = Peer()
    for ssrc in range(1, 4 * SSRC_CHANGES):
        peer.send(ssrc, ssrc=ssrc)
    assert len(peer.sound) == SSRC_CHANGES + 1


def test_the_reception_report_tells_of_loss_and_of_the_last_sender_report() -> None:
    peer = Peer()
    assert peer.receiver.report(SECOND) is None
    peer.send(1, 2, 4, 4)
    peer.report(0, ntp=0x11112222_33334444)
    report = peer.receiver.report(4 * SECOND)
    assert report is not None
    assert (report.ssrc, report.packets_lost, report.highest_sequence) == (7, 1, 4)
    assert (report.lsr, report.dlsr) == (0x22223333, 65536)
    assert peer.receiver.packets_lost == 1


def test_a_sender_report_puts_its_clock_on_ours() -> None:
    peer = Peer(base=(1 << 32) - 1500)
    peer.send(1, 2)  # the second has wrapped
    assert peer.receiver.mapping is None
    assert peer.report(peer.base + 2 * 960 - 5000) == (5 << 32, peer.base + 2 * 960 - 5000)
    assert peer.report(700) == (5 << 32, (1 << 32) + 700)
    assert peer.report(900, ssrc=99) == (5 << 32, (1 << 32) + 700)
    assert peer.report(900, ntp=0) is None
    peer.report(900)
    peer.send(1, ssrc=8)
    assert peer.receiver.mapping is None


def test_after_a_restart_a_sender_report_is_put_in_the_time_that_went_on() -> None:
    peer = Peer()
    peer.send(1)
    peer.base = HALF
    peer.send(5, ssrc=8, now=1020)
    assert peer.report(HALF + 5 * 960 + 100, ssrc=8) == (5 << 32, 960 + 48_000 + 100)


@dataclass
class Line:
    """A sender and what it sent."""

    epoch: int | None = None
    now: int = 0
    sent: list[RtpPacket] = field(default_factory=list)
    flushed: int = 0

    def __post_init__(self) -> None:
        self.sender = SoundSender(
            PARAMETERS,
            cname="us",
            send_rtp=lambda data: self.sent.append(rtp.parse(data)),
            send_rtcp=lambda _: None,
            flush=self._flush,
            epoch=self.epoch,
            clock=lambda: self.now,
        )

    def _flush(self) -> None:
        self.flushed += 1

    def send(self, *pts: int) -> None:
        for each in pts:
            self.sender.send(SoundPacket(OPUS, each, "OPUS", b"", 0))


def test_a_packet_leaves_at_once_under_its_own_time() -> None:
    line = Line()
    line.send(960, (1 << 32) + 1920)
    first, second = line.sent
    assert (first.payload_type, first.ssrc, first.payload, first.timestamp) == (111, line.sender.ssrc, OPUS, 960)
    assert (second.timestamp, second.sequence) == (1920, first.sequence + 1)
    assert line.flushed == 2


def test_the_marker_begins_a_talkspurt() -> None:
    line = Line()
    after = 3 * 960 + TALKSPURT
    line.send(0, 960, 3 * 960, 4 * 960, 4 * 960 + 960 + TALKSPURT, after + 4 * 960)
    assert [packet.marker for packet in line.sent] == [True, False, False, False, True, False]


def test_the_sender_report_says_when_a_time_stamp_is() -> None:
    epoch = 1_700_000_000 * SECOND
    line = Line(epoch)
    assert line.sender.sender_report(0) is None
    line.send(48_000)
    line.now = SECOND // 2
    report = line.sender.sender_report(line.now)
    assert report is not None
    packet = RtcpPacket.parse(report)[0]
    assert isinstance(packet, RtcpSrPacket)
    info = packet.sender_info
    assert (packet.ssrc, info.packet_count, info.rtp_timestamp) == (line.sender.ssrc, 1, 72_000)
    seconds = info.ntp_timestamp / (1 << 32) - NTP_EPOCH
    assert seconds == pytest.approx(1_700_000_001.5, abs=1e-3)
