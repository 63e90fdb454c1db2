"""The video sender with its controller and pacer: what is on the wire, and who is told what."""

from __future__ import annotations

import random
from collections.abc import Callable

from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_RTPFB_NACK,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    pack_remb_fci,
)

from stream.limits import FEEDBACK_INTERVAL, MILLISECOND, PACER_AGE, SECOND
from stream.rtc.congestion import Controller
from stream.rtc.congestion.goog_cc import GoogCc
from stream.rtc.congestion.reported import ReportedRate
from stream.rtc.parameters import HeaderExtensions
from stream.rtc.rtp import RtpPacket, extension_value, parse
from stream.rtc.sender import RtpSender
from stream.rtc.transport_cc import TransportFeedback
from tests.stream.rtc.congestion.simulation import Line, Loop

START, CEILING = 1_500_000, 4_000_000


class Wire:
    """A sender, its line, and a receiver that reports."""

    def __init__(self, *, rtx: bool = True, transport_cc: bool = True, rate: float = 0.0) -> None:
        self.loop = Loop()
        self.loop.now = 10 * SECOND
        self.line = Line(self.loop, [(0, rate)])
        self.packets: list[RtpPacket] = []
        """As they left."""
        self.bitrates: list[int] = []
        self.keyframes = 0
        make: Callable[[int, int], Controller] = GoogCc if transport_cc else ReportedRate
        self.sender = RtpSender(
            payload_type=96,
            rtx_payload_type=97 if rtx else None,
            extensions=HeaderExtensions(mid=4, abs_send_time=2, transport_cc=3 if transport_cc else None),
            mid="0",
            cname="name",
            send_rtp=self._send,
            send_rtcp=lambda data: None,
            on_keyframe_request=self._keyframe,
            on_bitrate=self.bitrates.append,
            controller=make(START, CEILING),
            call_later=self.loop.call_later,
            clock=self.loop.clock,
        )
        self._writer = TransportFeedback()
        self._timestamp = 0

    def _send(self, data: bytes) -> None:
        packet = parse(data)
        self.packets.append(packet)
        self.line.send(len(data), packet.marker, lambda: self._arrive(packet))

    def _arrive(self, packet: RtpPacket) -> None:
        value = extension_value(packet.extension, 3)
        if value is not None:
            self._writer.received(int.from_bytes(value), self.loop.now)

    def _keyframe(self) -> None:
        self.keyframes += 1

    def picture(self, packets: int, keyframe: bool = False) -> None:
        self._timestamp += 3000
        self.sender.send([bytes((index % 256,)) * 1150 for index in range(packets)], self._timestamp, keyframe)

    def reports(self) -> None:
        feedback = self._writer.feedback(1, self.sender.ssrc)
        if feedback is not None:
            self.sender.transport_feedback(feedback, self.loop.now)

    def call(self, seconds: float) -> None:
        """Pictures at 30 fps of what the encoder was told last, with feedback."""
        for _ in range(int(seconds * 30)):
            if self.sender.ready:
                bitrate = self.bitrates[-1] if self.bitrates else START
                self.picture(max(1, bitrate // 30 // 8 // 1200))
            for _ in range(2):
                self.loop.run(self.loop.now + SECOND // 60)
                self.sender.tick(self.loop.now)
            if self.loop.now // FEEDBACK_INTERVAL % 2:
                self.reports()

    def nack(self, *numbers: int) -> None:
        packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=self.sender.ssrc)
        packet.lost = list(numbers)
        (read,) = RtcpPacket.parse(bytes(packet))
        self.sender.rtcp(read, self.loop.now)


def test_each_packet_has_the_next_transport_wide_number_repeats_too() -> None:
    wire = Wire()
    wire.picture(3)
    wire.nack(wire.packets[1].sequence)
    wire.picture(2)
    numbers = [extension_value(packet.extension, 3) for packet in wire.packets]
    assert numbers == [number.to_bytes(2) for number in range(6)]
    assert [packet.payload_type for packet in wire.packets] == [96] * 3 + [97] + [96] * 2
    assert extension_value(wire.packets[0].extension, 4) == b"0"
    assert extension_value(wire.packets[0].extension, 2) is not None


def test_where_it_was_not_negotiated_there_is_no_number() -> None:
    wire = Wire(transport_cc=False)
    wire.picture(1)
    assert extension_value(wire.packets[0].extension, 3) is None


def test_a_free_line_is_found_and_the_encoder_told() -> None:
    wire = Wire()
    wire.call(3)
    # The rest is for headers.
    assert 0.9 * CEILING < wire.bitrates[-1] < CEILING
    assert len(wire.bitrates) < 20
    assert wire.keyframes == 0


def test_a_narrow_line_is_found_and_the_encoder_told() -> None:
    wire = Wire(rate=1_000_000)
    wire.call(8)
    assert 750_000 <= wire.bitrates[-1] <= 1_050_000
    assert wire.sender.dropped == 0


def test_probes_are_padded_by_repeats_that_the_receiver_passes_over() -> None:
    wire = Wire()
    wire.picture(5)
    wire.sender.tick(wire.loop.now)
    wire.loop.run(wire.loop.now + 100 * MILLISECOND)
    padding = wire.packets[5:]
    assert len(padding) >= 5
    originals = {packet.sequence: packet for packet in wire.packets[:5]}
    for packet in padding:
        assert packet.payload_type == 97
        original = originals[int.from_bytes(packet.payload[:2])]
        assert (packet.payload[2:], packet.timestamp) == (original.payload, original.timestamp)


def test_without_rtx_nothing_is_padded() -> None:
    wire = Wire(rtx=False)
    wire.call(1)
    assert {packet.payload_type for packet in wire.packets} == {96}
    assert len({packet.sequence for packet in wire.packets}) == len(wire.packets)


def test_before_the_first_picture_nothing_is_probed() -> None:
    wire = Wire()
    wire.sender.tick(wire.loop.now)
    wire.loop.run(wire.loop.now + SECOND)
    assert wire.packets == []


def test_what_the_pacer_drops_leaves_no_gap_and_asks_for_a_keyframe() -> None:
    wire = Wire(transport_cc=False)
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(150_000, [wire.sender.ssrc])), 0)
    wire.picture(100, keyframe=True)
    ready = [wire.sender.ready]
    wire.loop.run(wire.loop.now + PACER_AGE + 10 * MILLISECOND)
    assert (wire.keyframes, wire.sender.dropped) == (1, 1)
    wire.picture(1)
    wire.picture(2, keyframe=True)
    wire.loop.run(wire.loop.now + SECOND)
    ready.append(wire.sender.ready)
    assert ready == [False, True]
    sequences = [packet.sequence for packet in wire.packets]
    assert [(number - sequences[0]) & 0xFFFF for number in sequences] == list(range(len(sequences)))
    assert [packet.timestamp for packet in wire.packets[-2:]] == [9000, 9000]


def test_remb_and_loss_are_heeded_where_there_is_no_transport_wide_feedback() -> None:
    wire = Wire(transport_cc=False)
    ssrc = wire.sender.ssrc
    wire.sender.rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1_000_000, [ssrc])), 0)
    assert abs(wire.bitrates[-1] - 1_000_000) < 1000
    block = RtcpReceiverInfo(ssrc=ssrc, fraction_lost=64, packets_lost=9, highest_sequence=0, jitter=0, lsr=0, dlsr=0)
    wire.sender.rtcp(RtcpRrPacket(ssrc=1, reports=[block]), SECOND)
    wire.sender.tick(SECOND)
    assert 850_000 < wire.bitrates[-1] < 900_000


def test_rubbish_instead_of_feedback_changes_nothing() -> None:
    wire = Wire()
    wire.picture(5)
    chance = random.Random(1)
    for length in range(0, 400, 4):
        wire.sender.transport_feedback(b"\x8f\xcd\0\0" + chance.randbytes(length), wire.loop.now)
    assert wire.bitrates == []


def test_after_closing_no_timer_sends() -> None:
    wire = Wire()
    wire.picture(200)
    sent = len(wire.packets)
    wire.sender.close()
    wire.loop.run(wire.loop.now + SECOND)
    assert len(wire.packets) == sent
