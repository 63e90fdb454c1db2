"""Real pictures over a line that drops, doubles and reorders, both ways; the clock is the test's own."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from aiortc.rtp import RtcpPacket

from stream.codec import VideoEncoder
from stream.decoder import Decoder
from stream.limits import ASSEMBLY_PACKETS, KEYFRAME_RETRY, LOSS_WAIT, MILLISECOND, MTU_PAYLOAD, NACK_PACKETS, TICK
from stream.picture import EncodedPicture
from stream.rtc import rtp
from stream.rtc.parameters import HeaderExtensions, VideoParameters
from stream.rtc.payload import FORMATS
from stream.rtc.receiver import VideoReceiver
from stream.rtc.sender import RtpSender
from transforms.frame import Frame, Planes

WIDTH, HEIGHT = 160, 112
FRAME = 33 * MILLISECOND
BITRATE = 1_200_000
"""b/s: about five packets a frame."""


@dataclass
class Line:
    """One direction. ``drop`` decides by the number of the packet whether it is lost for sure."""

    random: random.Random
    loss: float = 0.0
    double: float = 0.0
    delay: int = 20 * MILLISECOND
    jitter: int = 4 * MILLISECOND
    drop: Callable[[int], bool] = lambda number: False
    sent: int = 0
    _flying: list[tuple[int, int, bytes]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def send(self, data: bytes, now: int) -> None:
        self.sent += 1
        if self.drop(self.sent) or self.random.random() < self.loss:
            return
        for _ in range(2 if self.random.random() < self.double else 1):
            arrival = now + self.delay + int(self.random.random() * self.jitter)
            heapq.heappush(self._flying, (arrival, next(self._order), data))

    def arrived(self, now: int) -> list[bytes]:
        data = []
        while self._flying and self._flying[0][0] <= now:
            data.append(heapq.heappop(self._flying)[2])
        return data


def picture(number: int) -> Frame:
    """A moving ramp with some grain, so that a frame takes several packets."""
    grain = torch.Generator().manual_seed(number)
    ramp = torch.arange(WIDTH)[None] + torch.arange(HEIGHT)[:, None] + 5 * number
    y = (ramp % 200 + torch.randint(0, 24, (HEIGHT, WIDTH), generator=grain)).to(torch.uint8)
    half = torch.full((HEIGHT // 2, WIDTH // 2), 100 + number % 50, dtype=torch.uint8)
    return Frame(Planes(y, half, half.clone()), pts=number * 2970)


class Call:
    """A publisher that answers keyframe requests, and what its pictures are when they arrive."""

    def __init__(self, codec: str, there: Line, back: Line, rtx: bool = True) -> None:
        self.now = 0
        self.codec = codec
        self.there, self.back = there, back
        self.encoder = VideoEncoder(codec, BITRATE)
        self.reference = Decoder(codec, 1 << 20)
        self.expected: dict[int, Planes] = {}
        """By pts, what a receiver should see."""
        self.decoder = Decoder(codec, 1 << 20)
        self.shown: list[tuple[int, int]] = []
        """(pts, ns after it was sent)."""
        self.keyframes = 0
        self.sender = RtpSender(
            payload_type=96,
            rtx_payload_type=97 if rtx else None,
            extensions=HeaderExtensions(),
            mid="0",
            cname="publisher",
            send_rtp=lambda data: there.send(data, self.now),
            send_rtcp=lambda data: there.send(data, self.now),
            on_keyframe_request=self._keyframe,
        )
        # The wrap-around is to happen within every call.
        self.sender._sequence = 65_500
        self.receiver = VideoReceiver(
            VideoParameters("0", True, True, {96: codec}, {97: 96} if rtx else {}),
            ssrc=1,
            send_rtcp=lambda data: back.send(data, self.now),
            on_picture=self._picture,
        )

    def run(self, frames: int) -> None:
        next_frame = next_tick = 0
        number = 0
        end = frames * FRAME + 500 * MILLISECOND
        while self.now < end:
            for data in self.there.arrived(self.now):
                self.receiver.rtp(rtp.parse(data), self.now)
            for data in self.back.arrived(self.now):
                for packet in RtcpPacket.parse(data):
                    self.sender.rtcp(packet, self.now)
            if self.now >= next_tick:
                next_tick += int(TICK * 1e9)
                self.receiver.tick(self.now)
            if number < frames and self.now >= next_frame:
                next_frame += FRAME
                self._publish(picture(number))
                number += 1
            assembler = self.receiver._assembler
            assert assembler is None or len(assembler._packets) <= ASSEMBLY_PACKETS
            assert len(self.receiver._nack._missing) <= NACK_PACKETS
            self.now += MILLISECOND

    def _publish(self, frame: Frame) -> None:
        encoded = self.encoder.encode(frame)
        assert encoded is not None
        self.keyframes += encoded.keyframe
        (seen,) = self.reference.decode(encoded)
        self.expected[encoded.pts] = seen.planes
        self.sender.send(FORMATS[self.codec].split(encoded.data, MTU_PAYLOAD), encoded.pts)

    def _picture(self, encoded: EncodedPicture) -> None:
        (seen,) = self.decoder.decode(encoded)
        assert encoded.keyframe or self.shown, "a stream began without a keyframe"
        assert all(torch.equal(a, b) for a, b in zip(seen.planes, self.expected[encoded.pts], strict=True)), encoded.pts
        self.shown.append((encoded.pts, self.now - encoded.pts // 2970 * FRAME))

    def _keyframe(self) -> None:
        self.encoder.want_keyframe = True


def lines(seed: int, **kind: float) -> tuple[Line, Line]:
    return Line(random.Random(seed), **kind), Line(random.Random(seed + 1), **kind)  # type: ignore[arg-type]


def in_order(call: Call) -> bool:
    times = [pts for pts, _ in call.shown]
    return times == sorted(set(times))


CODECS = pytest.mark.parametrize("codec", ["H264", "VP8"])


@CODECS
def test_on_a_good_line_every_picture_arrives_after_its_way_and_no_later(codec: str) -> None:
    there, back = lines(1)
    there.jitter = 0
    call = Call(codec, there, back)
    call.run(40)
    assert [pts for pts, _ in call.shown] == [number * 2970 for number in range(40)]
    assert max(late for _, late in call.shown) == there.delay
    assert call.keyframes == 1


@CODECS
@pytest.mark.parametrize("rtx", [True, False])
def test_five_percent_loss_both_ways_is_repaired(codec: str, rtx: bool) -> None:
    call = Call(codec, *lines(2, loss=0.05, double=0.03), rtx=rtx)
    call.run(150)
    assert in_order(call)
    assert call.there.sent > 400
    assert len(call.shown) >= 0.95 * 150
    assert call.keyframes <= 4


@CODECS
def test_a_burst_is_overcome_in_bounded_time(codec: str) -> None:
    there, back = lines(3, loss=0.01)
    there.drop = lambda number: number % 250 < 20
    call = Call(codec, there, back)
    call.run(150)
    assert in_order(call)
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(call.shown)]
    # Waiting for repeats, asking for a keyframe twice, and its way here.
    assert max(gaps) * MILLISECOND / 90 <= LOSS_WAIT + KEYFRAME_RETRY + 200 * MILLISECOND
    assert len(call.shown) >= 0.8 * 150


def test_where_nothing_can_be_repeated_keyframes_carry_on() -> None:
    there, back = lines(4, loss=0.02)
    call = Call("H264", there, back)
    call.sender._retransmit = lambda sequence: None  # type: ignore[method-assign]
    call.run(200)
    assert in_order(call)
    assert call.keyframes > 3
    assert len(call.shown) >= 40


def test_a_line_that_comes_back_after_a_second_shows_pictures_again_at_once() -> None:
    there, back = lines(5)
    call = Call("H264", there, back)
    there.drop = lambda number: 1000 * MILLISECOND < call.now < 2000 * MILLISECOND
    call.run(90)
    assert in_order(call)
    first = next(pts for pts, _ in call.shown if pts > 2000 * 90)
    assert first <= (2000 + 200) * 90
    assert call.shown[-1][0] == 89 * 2970


def test_reordering_alone_loses_nothing() -> None:
    there, back = lines(6, double=0.2)
    there.jitter = 60 * MILLISECOND
    call = Call("VP8", there, back)
    call.run(90)
    assert [pts for pts, _ in call.shown] == [number * 2970 for number in range(90)]


def test_a_receiver_that_comes_in_the_middle_gets_a_keyframe() -> None:
    there, back = lines(7)
    there.drop = lambda number: number < 30
    call = Call("H264", there, back)
    call.run(60)
    assert call.shown
    assert call.keyframes == 2
    assert call.shown[-1][0] == 59 * 2970
