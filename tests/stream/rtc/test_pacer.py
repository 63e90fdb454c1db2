from __future__ import annotations

from dataclasses import dataclass, field

from stream.limits import MILLISECOND, PACER_AGE, PACER_BURST, PACER_PACKETS, PACING_FACTOR, RETRANSMISSIONS, SECOND
from stream.rtc.congestion import Probe
from stream.rtc.pacer import LEAST_BURST, Pacer
from tests.stream.rtc.congestion.simulation import Loop

SIZE = 1200
BITRATE = 2_000_000
FRAME = BITRATE // 30 // 8 // SIZE
"""Packets of an average picture at 30 fps."""


@dataclass
class Bench:
    bitrate: int = BITRATE
    padding: int = 1000
    """Packets that there are to pad with."""
    sent: list[tuple[int, str, int | None]] = field(default_factory=list)
    """(ns, packet, probe)."""
    flushed: int = 0
    """How many of them have left."""
    dropped: int = 0

    def __post_init__(self) -> None:
        self.loop = Loop()
        self.loop.now = 100 * SECOND
        self.pacer: Pacer[str] = Pacer(
            self, bitrate=self.bitrate, call_later=self.loop.call_later, clock=self.loop.clock, on_dropped=self._dropped
        )

    def transmit(self, packet: str, now: int, cluster: int | None) -> int:
        assert now == self.loop.now
        self.sent.append((now - 100 * SECOND, packet, cluster))
        return SIZE

    def pad(self, now: int, cluster: int) -> int:
        if not self.padding:
            return 0
        self.padding -= 1
        return self.transmit("padding", now, cluster)

    def flush(self) -> None:
        self.flushed = len(self.sent)

    def _dropped(self) -> None:
        self.dropped += 1

    def picture(self, packets: int, name: str = "p", keyframe: bool = False) -> None:
        self.pacer.send([f"{name}{index}" for index in range(packets)], keyframe)
        assert self.flushed == len(self.sent)

    def wait(self, nanoseconds: int) -> None:
        self.loop.run(self.loop.now + nanoseconds)
        assert self.flushed == len(self.sent)


def test_usual_pictures_leave_at_once_and_no_timer_runs() -> None:
    bench = Bench()
    for number in range(30):
        bench.picture(FRAME, f"{number}-")
        assert len(bench.sent) == (number + 1) * FRAME
        bench.wait(SECOND // 30)
    assert bench.loop.wakes == 0


def test_a_keyframe_leaves_over_several_milliseconds_at_the_pacing_rate_and_in_order() -> None:
    bench = Bench()
    bench.picture(60, keyframe=True)
    at_once = BITRATE * PACER_BURST // SECOND // 8 // SIZE + 1
    assert len(bench.sent) == at_once
    bench.wait(SECOND)
    assert [packet for _, packet, _ in bench.sent] == [f"p{index}" for index in range(60)]
    spread = (60 - at_once) * SIZE * 8 * SECOND / (PACING_FACTOR * BITRATE)
    assert spread - 5 * MILLISECOND <= bench.sent[-1][0] <= spread + 10 * MILLISECOND
    batches = len({when for when, _, _ in bench.sent})
    assert batches == bench.loop.wakes + 1
    assert max(sum(when == batch for when, _, _ in bench.sent) for batch, _, _ in bench.sent[at_once:]) <= 4
    # And then the line is free again.
    bench.picture(FRAME)
    assert len(bench.sent) == 60 + FRAME


def test_an_idle_line_saves_nothing_up() -> None:
    bench = Bench()
    bench.wait(100 * SECOND)
    bench.picture(60)
    assert len(bench.sent) <= BITRATE * PACER_BURST // SECOND // 8 // SIZE + 1


def test_a_slow_stream_may_send_a_small_picture_at_once() -> None:
    bench = Bench(bitrate=150_000)
    bench.picture(LEAST_BURST // SIZE)
    assert len(bench.sent) == LEAST_BURST // SIZE


def test_retransmissions_go_before_what_waits() -> None:
    bench = Bench()
    bench.picture(40)
    sent = len(bench.sent)
    bench.pacer.repeat(["again1", "again2"])
    assert len(bench.sent) == sent
    bench.wait(SECOND)
    assert [packet for _, packet, _ in bench.sent[sent : sent + 3]] == ["again1", "again2", f"p{sent}"]


def test_retransmissions_leave_at_once_where_nothing_waits_and_are_bounded() -> None:
    bench = Bench()
    bench.pacer.repeat(["again"])
    assert len(bench.sent) == 1
    bench.picture(40)
    for _ in range(10):
        bench.pacer.repeat(["more"] * 50)
    bench.wait(SECOND)
    assert sum(packet == "more" for _, packet, _ in bench.sent) == RETRANSMISSIONS


def test_what_waited_too_long_is_dropped_up_to_the_next_keyframe_and_one_is_asked_for() -> None:
    bench = Bench(bitrate=200_000)
    bench.picture(100, "old")
    bench.wait(10 * MILLISECOND)
    bench.picture(3, "older")
    bench.wait(PACER_AGE)
    assert (bench.dropped, bench.pacer.dropped) == (1, 2)
    assert all(when <= PACER_AGE for when, _, _ in bench.sent)
    sent = len(bench.sent)
    bench.picture(3, "undecodable")
    assert (bench.dropped, bench.pacer.dropped) == (1, 3)
    bench.wait(SECOND)
    bench.picture(3, "key", keyframe=True)
    bench.picture(1, "next")
    bench.wait(SECOND)
    assert [packet for _, packet, _ in bench.sent[sent:]] == ["key0", "key1", "key2", "next0"]


def test_the_queue_is_bounded() -> None:
    bench = Bench()
    for number in range(PACER_PACKETS // 100 + 2):
        bench.picture(100, f"{number}-")
    assert bench.dropped == 1
    assert bench.pacer.dropped > 1
    bench.picture(3, keyframe=True)
    bench.wait(SECOND)
    assert bench.sent[-1][1] == "p2"


def test_it_is_ready_unless_what_waits_takes_long() -> None:
    bench = Bench()
    ready = [bench.pacer.ready]
    bench.picture(100)
    ready.append(bench.pacer.ready)
    bench.pacer.bitrate *= 10
    ready.append(bench.pacer.ready)
    bench.pacer.bitrate //= 10
    bench.wait(SECOND)
    ready.append(bench.pacer.ready)
    assert ready == [True, False, True, True]


def test_a_probe_pads_at_its_rate() -> None:
    bench = Bench()
    probe = Probe(7, 4_000_000, 5, 9000)
    bench.pacer.probe(probe)
    bench.wait(SECOND)
    assert [(packet, cluster) for _, packet, cluster in bench.sent] == [("padding", 7)] * 8
    span = bench.sent[-1][0] - bench.sent[0][0]
    assert abs(7 * SIZE * 8 * SECOND / span - probe.bitrate) < 0.05 * probe.bitrate
    assert bench.loop.wakes == 7


def test_pictures_are_part_of_a_probe_and_end_before_it() -> None:
    bench = Bench()
    bench.pacer.probe(Probe(7, 4_000_000, 5, 9000))
    bench.picture(3)
    bench.pacer.repeat(["again"])
    bench.wait(SECOND)
    assert [packet for _, packet, _ in bench.sent] == ["padding", "again", "p0", "p1", "p2", *["padding"] * 3]
    assert {cluster for _, _, cluster in bench.sent} == {7}
    bench.picture(1)
    assert bench.sent[-1][1:] == ("p0", None)


def test_a_probe_without_anything_to_send_ends() -> None:
    bench = Bench(padding=0)
    bench.pacer.probe(Probe(7, 4_000_000, 5, 9000))
    assert (bench.sent, bench.loop.wakes) == ([], 0)
    bench.picture(FRAME)
    assert len(bench.sent) == FRAME


def test_after_closing_nothing_leaves() -> None:
    bench = Bench()
    bench.picture(60)
    sent = len(bench.sent)
    bench.pacer.close()
    bench.wait(SECOND)
    assert len(bench.sent) == sent
