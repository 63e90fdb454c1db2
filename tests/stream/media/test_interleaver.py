from __future__ import annotations

from collections.abc import Iterable

from stream.media.interleaver import PICTURES, SOUND, Interleaver, TrackPacket
from stream.media.limits import HELD_BYTES, HELD_TIME, TICKS


def packet(track: int, dts: int, size: int = 1) -> TrackPacket:
    return TrackPacket(track, bytes(size), dts, dts, 1, True)


def through(interleaver: Interleaver, packets: Iterable[TrackPacket]) -> list[tuple[int, int]]:
    return [(each.track, each.dts) for one in packets for each in interleaver.put(one)]


def test_a_single_track_is_not_held() -> None:
    assert through(Interleaver(1), [packet(PICTURES, 3), packet(PICTURES, 2)]) == [(PICTURES, 3), (PICTURES, 2)]


def test_tracks_come_in_the_order_of_time() -> None:
    interleaver = Interleaver(2)
    second = TICKS // 10
    given = [packet(PICTURES, number * second) for number in range(10)] + [
        packet(SOUND, number * second + 1) for number in range(10)
    ]
    came = through(interleaver, given) + [(each.track, each.dts) for each in interleaver.flush()]
    assert came == sorted(came, key=lambda each: each[1])
    assert len(came) == 20


def test_a_track_that_does_not_come_is_not_waited_for_long() -> None:
    interleaver = Interleaver(2)
    assert through(interleaver, [packet(PICTURES, 0), packet(PICTURES, HELD_TIME)]) == []
    assert through(interleaver, [packet(PICTURES, HELD_TIME + 1)]) == [(PICTURES, 0)]


def test_what_is_held_has_a_size() -> None:
    interleaver = Interleaver(2)
    assert len(through(interleaver, [packet(PICTURES, number, HELD_BYTES // 2) for number in range(3)])) == 1
