"""A peer with a clock of its own for each stream, as RTP has it, and a line that shakes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from aiortc.rtp import RtcpSenderInfo

from stream.limits import MILLISECOND, SECOND
from stream.rtc.alignment import TOLERANCE, Alignment, Mapping, at_report


@dataclass
class Peer:
    """Where sound is heard, 48 kHz, relative to where it belongs beside the pictures."""

    jitter: float = 0.0
    """ms, evenly from 0 to this."""
    picture_delay: float = 0.0
    """ms that pictures take longer to arrive than sound."""
    skew: float = 0.0
    """Of the sound's clock."""
    picture_base: int = 1_000_000
    sound_base: int = 77_777_777
    ntp: int = 3_900_000_000 << 32
    """At time 0."""
    reports: bool = True
    errors: list[float] = field(default_factory=list)
    out: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(7)
        self.shown: Mapping | None = None
        self.heard: Mapping | None = None
        self.offset = 0
        self.alignment = Alignment(lambda: self.shown, lambda: self.heard)

    def _arrives(self, time: float, delay: float = 0.0) -> int:
        return int((1000 + time) * SECOND + (delay + 40 + self.random.uniform(0, self.jitter)) * MILLISECOND)

    def picture(self, time: float) -> None:
        pts = self.picture_base + round(time * 90_000)
        self.offset = self.alignment.picture(pts, self._arrives(time, self.picture_delay)) - pts

    def sound(self, time: float) -> None:
        pts = self.sound_base + round(time * 48_000 * (1 + self.skew))
        aligned = self.alignment.sound(pts, self._arrives(time))
        if aligned is not None:
            belongs = (self.picture_base + self.offset) * 48 / 90 + time * 48_000
            self.errors.append(aligned - belongs)
            self.out.append(aligned)

    def report(self, time: float) -> None:
        ntp = (self.ntp + int(time * (1 << 32))) % (1 << 64)
        self.shown = ntp, self.picture_base + round(time * 90_000)
        self.heard = ntp, self.sound_base + round(time * 48_000 * (1 + self.skew))

    def run(self, begin: float, end: float) -> None:
        """25 pictures and 50 packets of sound a second, and a report each 5 s."""
        for number in range(round(begin * 50), round(end * 50)):
            time = number / 50
            if number % 250 == 249 and self.reports:
                self.report(time)
            if number % 2 == 0:
                self.picture(time)
            self.sound(time)


def test_on_a_steady_line_arrival_tells() -> None:
    peer = Peer(reports=False)
    peer.run(0, 10)
    assert peer.errors == pytest.approx([0] * 500, abs=2)
    assert peer.alignment.moved == 0


def test_pictures_keep_their_time() -> None:
    peer = Peer(jitter=20)
    peer.run(0, 1)
    assert peer.offset == 0


@pytest.mark.parametrize("base", [1_000_000, (1 << 32) - 90_000, 1 << 40])
def test_jitter_moves_nothing_for_long(base: int) -> None:
    peer = Peer(jitter=60, reports=False, picture_base=base)
    peer.run(0, 60)
    settled = peer.errors[100:]
    assert max(map(abs, settled)) <= TOLERANCE + 5 * 48
    assert peer.alignment.moved < 10


def test_with_reports_it_is_exact_though_pictures_are_slow_to_come() -> None:
    peer = Peer(picture_delay=80, jitter=30)
    peer.run(0, 4.9)
    assert peer.errors[-1] == pytest.approx(-80 * 48, abs=20 * 48)
    peer.run(4.9, 20)
    assert peer.errors[-1] == pytest.approx(0, abs=1)
    assert peer.errors[250:] == pytest.approx([peer.errors[-1]] * len(peer.errors[250:]), abs=1)


def test_what_is_off_by_little_is_left() -> None:
    peer = Peer(picture_delay=9)
    peer.run(0, 20)
    assert peer.errors == pytest.approx([-9 * 48] * 1000, abs=2)
    assert peer.alignment.moved == 0


def test_a_skewed_clock_is_held_for_an_hour() -> None:
    peer = Peer(skew=100e-6)
    peer.run(0, 3600)
    # The median is some reports old.
    assert max(map(abs, peer.errors)) <= TOLERANCE + 2 * 48
    # 360 ms in steps of 10.
    assert peer.alignment.moved == pytest.approx(36, abs=2)
    assert all(after > before for before, after in pairwise(peer.out))
    assert len(peer.out) == 3600 * 50


def test_ntp_wraps() -> None:
    peer = Peer(picture_delay=80, ntp=(1 << 64) - (7 << 32))
    peer.run(0, 4.9)
    peer.report(6.5)
    heard = peer.heard
    peer.report(7.5)
    peer.heard = heard
    peer.reports = False
    peer.run(4.9, 9)
    assert peer.errors[-1] == pytest.approx(0, abs=1)


def test_sound_that_is_moved_back_never_goes_over_what_was_handed_on() -> None:
    peer = Peer(picture_delay=-300)
    peer.run(0, 20)
    assert all(after > before for before, after in pairwise(peer.out))
    assert 20 * 50 - len(peer.out) == pytest.approx(15, abs=1)
    assert peer.errors[-1] == pytest.approx(0, abs=1)


def test_a_packet_that_the_line_delayed_keeps_its_place() -> None:
    peer = Peer()
    peer.picture(0)
    for time in (0.0, 0.02, 0.06, 0.04):
        peer.sound(time)
    assert [after - before for before, after in pairwise(peer.out)] == [960, 1920, -960]


def test_reports_that_cannot_be_are_not_believed() -> None:
    peer = Peer(jitter=5, reports=False)
    peer.run(0, 2)
    peer.report(2)
    assert peer.heard is not None
    peer.heard = (peer.heard[0] + (3600 << 32), peer.heard[1])
    peer.run(2, 4)
    assert max(map(abs, peer.errors)) <= 10 * 48
    assert peer.alignment.moved == 0


def test_a_report_that_is_wrong_now_and_then_moves_nothing() -> None:
    peer = Peer(picture_delay=80)
    peer.run(0, 10)
    moved = peer.alignment.moved
    assert peer.heard is not None
    ntp, pts = peer.heard
    for number in range(5):
        peer.heard = ntp + number, pts
        peer.sound(10 + number / 50)
    peer.heard = ntp + (300 << 32) // 1000, pts
    peer.sound(10.1)
    assert peer.errors[-1] == pytest.approx(0, abs=1)
    assert peer.alignment.moved == moved


def test_who_sends_no_pictures_keeps_its_time() -> None:
    alignment = Alignment()
    assert [alignment.sound(pts, pts) for pts in (5, 965, 1925)] == [5, 965, 1925]


def test_pictures_that_come_after_the_sound_join_it() -> None:
    peer = Peer()
    for number in range(100):
        peer.sound(number / 50)
    assert peer.out == [peer.sound_base + 960 * number for number in range(100)]
    peer.errors.clear()
    peer.run(2, 10)
    assert peer.errors == pytest.approx([0] * 400, abs=3)
    assert all(after > before for before, after in pairwise(peer.out))


def test_a_report_is_put_beside_the_packet_that_is_near_it() -> None:
    def info(ntp: int, timestamp: int) -> RtcpSenderInfo:
        return RtcpSenderInfo(ntp_timestamp=ntp, rtp_timestamp=timestamp, packet_count=0, octet_count=0)

    assert at_report(info(5, 1000), 900, 70_900) == (5, 71_000)
    assert at_report(info(5, 100), (1 << 32) - 100, 50_000) == (5, 50_200)
    assert at_report(info(5, (1 << 32) - 100), 100 + (3 << 32), 50_000) == (5, 49_800)
    assert at_report(info(0, 1000), 900, 70_900) is None
