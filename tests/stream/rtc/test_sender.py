from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
    pack_remb_fci,
)

from stream.limits import MILLISECOND, RETRANSMISSION_WINDOW, RETRANSMISSIONS, SECOND, SEND_HISTORY
from stream.rtc.parameters import HeaderExtensions
from stream.rtc.rtp import RtpPacket, extension_value, parse
from stream.rtc.sender import NTP_EPOCH, RtpSender


@dataclass
class Wire:
    """A sender and what it sent."""

    rtx: int | None = 97
    extensions: HeaderExtensions = field(default_factory=HeaderExtensions)
    mid: str = "0"
    packets: list[RtpPacket] = field(default_factory=list)
    held: list[RtpPacket] = field(default_factory=list)
    """Given to the transport, which sends on ``flush``."""
    epoch: int | None = None
    keyframes: int = 0
    bitrates: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sender = RtpSender(
            payload_type=96,
            rtx_payload_type=self.rtx,
            extensions=self.extensions,
            mid=self.mid,
            cname="name",
            send_rtp=lambda data: self.held.append(parse(data)),
            send_rtcp=lambda data: None,
            flush=self._flush,
            on_keyframe_request=self._keyframe,
            on_bitrate=self.bitrates.append,
            clock=lambda: 0,
            epoch=self.epoch,
        )

    def _flush(self) -> None:
        self.packets += self.held
        self.held.clear()

    def _keyframe(self) -> None:
        self.keyframes += 1

    def send(self, count: int, timestamp: int = 0) -> list[RtpPacket]:
        begin = len(self.packets)
        self.sender.send([bytes((index % 256,)) * 100 for index in range(count)], timestamp)
        return self.packets[begin:]

    def nack(self, numbers: Sequence[int], now: int = 0, ssrc: int | None = None) -> list[RtpPacket]:
        begin = len(self.packets)
        packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=self.sender.ssrc if ssrc is None else ssrc)
        packet.lost = list(numbers)
        (read,) = RtcpPacket.parse(bytes(packet))
        self.sender.rtcp(read, now)
        return self.packets[begin:]


def test_a_pictures_packets_follow_each_other_and_the_last_is_marked() -> None:
    wire = Wire()
    sent = wire.send(3, 9000) + wire.send(2, 12_000)
    assert [packet.marker for packet in sent] == [False, False, True, False, True]
    assert [packet.timestamp for packet in sent] == [9000] * 3 + [12_000] * 2
    assert {(packet.sequence - sent[0].sequence) & 0xFFFF for packet in sent} == set(range(5))
    assert {(packet.payload_type, packet.ssrc) for packet in sent} == {(96, wire.sender.ssrc)}


def test_numbers_and_timestamps_wrap() -> None:
    wire = Wire()
    sent = [wire.send(1, 0xFFFFFFFF - 100 + step)[0] for step in range(70_000)]
    assert all((after.sequence - before.sequence) & 0xFFFF == 1 for before, after in itertools.pairwise(sent))
    assert sent[-1].timestamp == 70_000 - 1 - 101


def test_nothing_to_send_sends_nothing() -> None:
    wire = Wire()
    assert wire.send(0) == []


def test_a_lost_packet_is_repeated_as_rfc_4588_says() -> None:
    wire = Wire()
    sent = wire.send(5, 9000)
    first, second = wire.nack([sent[1].sequence, sent[4].sequence])
    for repeated, original in ((first, sent[1]), (second, sent[4])):
        assert repeated.payload == original.sequence.to_bytes(2) + original.payload
        assert (repeated.payload_type, repeated.ssrc) == (97, wire.sender.rtx_ssrc)
        assert (repeated.timestamp, repeated.marker) == (original.timestamp, original.marker)
    assert second.sequence == (first.sequence + 1) & 0xFFFF
    assert wire.sender.ssrc != wire.sender.rtx_ssrc


def test_without_rtx_the_packet_itself_is_repeated() -> None:
    wire = Wire(rtx=None)
    sent = wire.send(5, 9000)
    assert wire.nack([sent[2].sequence]) == [sent[2]]


def test_what_is_no_longer_kept_is_not_repeated() -> None:
    wire = Wire()
    old = wire.send(1)[0]
    wire.send(SEND_HISTORY)
    assert wire.nack([old.sequence]) == []
    assert wire.nack([(old.sequence - 5) & 0xFFFF]) == []


def test_another_streams_nack_is_none_of_ours() -> None:
    wire = Wire()
    sent = wire.send(1)
    assert wire.nack([sent[0].sequence], ssrc=wire.sender.ssrc ^ 1) == []


def test_repeats_are_bounded_however_many_nacks_come_at_once() -> None:
    wire = Wire()
    numbers = [packet.sequence for packet in wire.send(200)]
    now = 5 * SECOND
    assert sum(len(wire.nack(numbers, now)) for _ in range(20)) == RETRANSMISSIONS
    assert len(wire.nack(numbers, now + RETRANSMISSION_WINDOW)) == RETRANSMISSIONS


def test_header_extensions_are_sent_as_negotiated() -> None:
    wire = Wire(extensions=HeaderExtensions(mid=4, abs_send_time=2, transport_cc=3), mid="video0")
    sent = wire.send(1)[0]
    assert extension_value(sent.extension, 4) == b"video0"
    stamp = extension_value(sent.extension, 2)
    assert stamp is not None
    assert len(stamp) == 3
    assert extension_value(sent.extension, 3) is None
    (repeated,) = wire.nack([sent.sequence])
    assert extension_value(repeated.extension, 4) == b"video0"


@pytest.mark.parametrize("mid", ["", "a mid of more than sixteen", "ääääääääääää"])
def test_a_mid_that_does_not_fit_is_left_out(mid: str) -> None:
    sent = Wire(extensions=HeaderExtensions(mid=4), mid=mid).send(1)[0]
    assert extension_value(sent.extension, 4) is None
    assert len(sent.payload) == 100


def test_pli_and_fir_ask_for_a_keyframe() -> None:
    wire = Wire()
    ssrc = wire.sender.ssrc
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=ssrc), 0)
    assert wire.keyframes == 1
    entries = (ssrc ^ 1).to_bytes(4) + bytes(4) + ssrc.to_bytes(4) + b"\7\0\0\0"
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=1, media_ssrc=0, fci=entries), 0)
    assert wire.keyframes == 2
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=ssrc ^ 1), 0)
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=1, media_ssrc=ssrc, fci=entries[:8]), 0)
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=1, media_ssrc=ssrc, fci=ssrc.to_bytes(4)), 0)
    assert wire.keyframes == 2


def test_remb_of_this_stream_is_heeded() -> None:
    wire = Wire()
    ssrc = wire.sender.ssrc
    for ssrcs in ([ssrc], [ssrc ^ 1], [5, ssrc]):
        wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1_000_000, ssrcs)), 0)
    assert wire.bitrates == [pytest.approx(1_000_000, rel=0.001)] * 2


@pytest.mark.parametrize("fci", [b"", b"REMB", b"REMB\xff\x00\x00\x00", b"REMB\x02\x00\x00\x00abcd", b"AAAABBBB"])
def test_what_is_no_remb_is_ignored(fci: bytes) -> None:
    wire = Wire()
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci), 0)
    assert wire.bitrates == []


def test_there_is_no_sender_report_before_the_first_packet() -> None:
    assert Wire().sender.sender_report(0) is None


def test_a_sender_report_counts_and_names() -> None:
    wire = Wire()
    wire.send(3, 9000)
    wire.send(2, 0x1_0000_0005)
    data = wire.sender.sender_report(SECOND)
    assert data is not None
    report, names = RtcpPacket.parse(data)
    assert isinstance(report, RtcpSrPacket)
    assert (report.ssrc, report.sender_info.packet_count, report.sender_info.octet_count) == (wire.sender.ssrc, 5, 500)
    # It is of the time at which it is made, a second after the last packet.
    assert report.sender_info.rtp_timestamp == 5 + 90_000
    assert isinstance(names, RtcpSdesPacket)
    assert [(chunk.ssrc, chunk.items) for chunk in names.chunks] == [(wire.sender.ssrc, [(1, b"name")])]


def test_a_sender_report_tells_the_time_of_what_is_seen_where_that_is_known() -> None:
    wire = Wire(epoch=1_000 * SECOND)
    wire.send(1, 2 * 90_000)
    data = wire.sender.sender_report(SECOND // 2)
    assert data is not None
    report = RtcpPacket.parse(data)[0]
    assert isinstance(report, RtcpSrPacket)
    assert report.sender_info.rtp_timestamp == 2.5 * 90_000
    assert report.sender_info.ntp_timestamp / (1 << 32) - NTP_EPOCH == pytest.approx(1_002.5, abs=1e-6)


def test_the_round_trip_is_measured_from_the_echo_of_a_report() -> None:
    wire = Wire()
    wire.send(1)
    data = wire.sender.sender_report(SECOND)
    assert data is not None
    (report, _) = RtcpPacket.parse(data)
    assert isinstance(report, RtcpSrPacket)
    middle = report.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF

    def echo(lsr: int, dlsr: int, now: int) -> None:
        block = RtcpReceiverInfo(
            ssrc=wire.sender.ssrc, fraction_lost=0, packets_lost=3, highest_sequence=0, jitter=0, lsr=lsr, dlsr=dlsr
        )
        wire.sender.rtcp(RtcpRrPacket(ssrc=1, reports=[block]), now)

    echo(middle ^ 1, 0, SECOND)
    echo(0, 0, SECOND)
    before = wire.sender.round_trip
    assert before is None
    echo(middle, 65_536 // 2, SECOND + SECOND // 2 + 30 * MILLISECOND)
    assert wire.sender.round_trip == 30 * MILLISECOND
    echo(middle, 65_536 * 100, 2 * SECOND)  # a delay that cannot be
    assert wire.sender.round_trip == 30 * MILLISECOND
    assert wire.sender.packets_lost == 3
