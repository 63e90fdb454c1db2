from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.limits import ASSEMBLY_PACKETS, LOSS_WAIT
from stream.rtc import h264
from stream.rtc.assembler import Assembler, Assembly

KEY, PART, DELTA = b"K", b"-", b"D"


@dataclass(frozen=True)
class Sent:
    sequence: int
    timestamp: int
    marker: bool
    payload: bytes


@dataclass
class Publisher:
    """Writes pictures as packets. Payloads: K begins a keyframe, D another picture, - goes on with either."""

    sequence: int = 100
    timestamp: int = 9000
    marks: bool = True

    def picture(self, size: int = 3, key: bool = False) -> list[Sent]:
        payloads = [KEY if key else DELTA] + [PART] * (size - 1)
        return self.packets(payloads)

    def packets(self, payloads: list[bytes]) -> list[Sent]:
        packets = []
        for index, payload in enumerate(payloads):
            marker = self.marks and index == len(payloads) - 1
            packets.append(Sent(self.sequence, self.timestamp, marker, payload))
            self.sequence += 1
        self.timestamp += 3000
        return packets

    def padding(self) -> Sent:
        self.sequence += 1
        return Sent(self.sequence - 1, self.timestamp - 3000, False, b"")


@dataclass
class Receiver:
    assembler: Assembler = field(default_factory=lambda: Assembler(lambda payload: payload[:1] == KEY))
    now: int = 0

    def push(self, *packets: Sent) -> list[int]:
        """The RTP timestamps of the pictures that come of these packets."""
        return [picture.timestamp for picture in self.pictures(*packets)]

    def pictures(self, *packets: Sent) -> list[Assembly]:
        done: list[Assembly] = []
        for packet in packets:
            self.now += 1
            done += self.assembler.push(packet.sequence, packet.timestamp, packet.marker, packet.payload, self.now)
        return done


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def test_a_picture_is_released_with_its_marker_packet_and_not_later(publisher: Publisher, receiver: Receiver) -> None:
    for key in (True, False, False):
        *body, last = publisher.picture(4, key)
        assert receiver.push(*body) == []
        (picture,) = receiver.pictures(last)
        assert picture == ([KEY if key else DELTA, PART, PART, PART], last.timestamp, receiver.now)


def test_nothing_is_shown_before_a_keyframe(publisher: Publisher, receiver: Receiver) -> None:
    assert receiver.push(*publisher.picture(), *publisher.picture()) == []
    assert receiver.assembler.waiting
    assert receiver.assembler.skipped == 2
    assert receiver.push(*publisher.picture(key=True)) == [15000]
    assert not receiver.assembler.waiting


def test_reordered_packets_are_put_in_order(publisher: Publisher, receiver: Receiver) -> None:
    assert receiver.push(*publisher.picture(key=True)) == [9000]
    one, two = publisher.picture(), publisher.picture()
    assert receiver.push(two[2], one[2], two[0], one[0], two[1]) == []
    assert receiver.push(one[1]) == [12000, 15000]


def test_duplicates_change_nothing(publisher: Publisher, receiver: Receiver) -> None:
    key, delta = publisher.picture(key=True), publisher.picture()
    assert receiver.push(*(packet for packet in key for _ in range(2))) == [9000]
    assert receiver.push(*key) == []
    assert receiver.push(delta[0], delta[0], delta[1], delta[1], delta[2]) == [12000]
    assert receiver.push(*delta, *key) == []


def test_a_lost_packet_that_comes_again_releases_what_waited_for_it(publisher: Publisher, receiver: Receiver) -> None:
    receiver.push(*publisher.picture(key=True))
    lost = publisher.picture()
    assert receiver.push(lost[0], lost[2], *publisher.picture(), *publisher.picture()) == []
    assert receiver.push(lost[1]) == [12000, 15000, 18000]
    assert not receiver.assembler.expire(receiver.now + LOSS_WAIT)
    assert receiver.assembler.lost == 0


def test_a_gap_that_is_not_filled_ends_in_waiting_for_a_keyframe(publisher: Publisher, receiver: Receiver) -> None:
    receiver.push(*publisher.picture(key=True))
    lost = publisher.picture()
    receiver.push(lost[0], lost[2])
    since = receiver.now
    receiver.push(*publisher.picture())
    assert not receiver.assembler.expire(since + LOSS_WAIT - 1)
    assert receiver.assembler.expire(since + LOSS_WAIT)
    assert receiver.assembler.waiting
    assert receiver.assembler.lost == 1
    assert receiver.push(lost[1], *publisher.picture()) == []
    assert receiver.push(*publisher.picture(key=True)) == [21000]


def test_each_gap_has_its_own_time(publisher: Publisher, receiver: Receiver) -> None:
    receiver.push(*publisher.picture(key=True))
    first = publisher.picture()
    receiver.push(first[0], first[2])
    receiver.now += LOSS_WAIT - 10
    second = publisher.picture()
    receiver.push(second[0], second[2])
    assert receiver.push(first[1]) == [12000]
    assert not receiver.assembler.expire(receiver.now + LOSS_WAIT - 1)
    assert receiver.assembler.expire(receiver.now + LOSS_WAIT)


def test_a_whole_keyframe_behind_a_gap_does_not_wait_for_it(publisher: Publisher, receiver: Receiver) -> None:
    receiver.push(*publisher.picture(key=True))
    lost = publisher.picture()
    assert receiver.push(lost[0], lost[2], *publisher.picture()) == []
    assert receiver.push(*publisher.picture(key=True)) == [18000]
    assert receiver.assembler.lost == 1
    assert receiver.push(lost[1]) == []
    assert receiver.push(*publisher.picture()) == [21000]


def test_a_keyframe_behind_a_gap_that_may_belong_to_it_waits(publisher: Publisher, receiver: Receiver) -> None:
    receiver.push(*publisher.picture(key=True))
    parameters, *rest = publisher.packets([KEY, KEY, PART])
    assert receiver.push(*rest) == []
    (picture,) = receiver.pictures(parameters)
    assert picture.payloads == [KEY, KEY, PART]


def test_an_unfinished_keyframe_is_what_is_left_after_giving_up(publisher: Publisher, receiver: Receiver) -> None:
    receiver.push(*publisher.picture(key=True))
    lost, (*key, last) = publisher.picture(), publisher.picture(key=True)
    assert receiver.push(lost[0], lost[2], *key) == []
    assert receiver.assembler.expire(receiver.now + LOSS_WAIT)
    assert not receiver.assembler.waiting
    assert receiver.push(last) == [15000]


def test_parameter_sets_that_were_overtaken_are_put_before_their_keyframe(publisher: Publisher, receiver: Receiver) -> None:
    sps, pps, slice_, rest = publisher.packets([KEY, PART, KEY, PART])
    assert receiver.push(slice_, pps, sps) == []
    (picture,) = receiver.pictures(rest)
    assert picture.payloads == [KEY, PART, KEY, PART]


def test_a_late_packet_of_another_picture_does_not_join_the_first_keyframe(publisher: Publisher, receiver: Receiver) -> None:
    before, key = publisher.picture(1), publisher.picture(key=True)
    assert receiver.push(key[0], *before, *key[1:]) == [12000]


def test_what_was_given_up_or_shown_is_not_shown_again(publisher: Publisher, receiver: Receiver) -> None:
    old = publisher.picture(key=True)
    receiver.push(*old)
    lost = publisher.picture()
    receiver.push(lost[0], lost[2])
    receiver.assembler.give_up()
    assert receiver.push(*old) == []
    assert receiver.assembler.waiting
    assert receiver.push(*publisher.picture(key=True)) == [15000]


def test_a_sender_that_sets_no_marker_is_released_by_the_next_timestamp(receiver: Receiver) -> None:
    publisher = Publisher(marks=False)
    assert receiver.push(*publisher.picture(key=True)) == []
    assert receiver.push(*publisher.picture()) == [9000]
    assert receiver.push(*publisher.picture()) == [12000]


def test_padding_between_pictures_is_passed_over(publisher: Publisher, receiver: Receiver) -> None:
    assert receiver.push(*publisher.picture(key=True), publisher.padding(), publisher.padding()) == [9000]
    late = publisher.padding()
    assert receiver.push(*publisher.picture()) == []
    assert receiver.push(late) == [12000]
    assert receiver.assembler.lost == 0


def test_padding_does_not_start_a_stream(publisher: Publisher, receiver: Receiver) -> None:
    assert receiver.push(publisher.padding(), publisher.padding()) == []
    assert receiver.assembler.waiting


@pytest.mark.parametrize("key", [True, False])
def test_what_is_held_for_a_gap_is_bounded(publisher: Publisher, receiver: Receiver, key: bool) -> None:
    receiver.push(*publisher.picture(key=True))
    publisher.sequence += 1
    for _ in range(3 * ASSEMBLY_PACKETS):
        receiver.push(*publisher.picture(2, key=key)[: 1 if key else 2])
        publisher.sequence += 1
        assert len(receiver.assembler._packets) <= ASSEMBLY_PACKETS + 1
    assert receiver.assembler.lost


def test_what_is_held_while_waiting_for_a_keyframe_is_bounded(publisher: Publisher, receiver: Receiver) -> None:
    for _ in range(500):
        receiver.push(*publisher.picture(7))
        assert len(receiver.assembler._packets) <= 65


def test_a_later_slice_of_a_broken_keyframe_is_not_taken_for_its_beginning() -> None:
    receiver = Receiver(Assembler(h264.starts_keyframe))
    publisher = Publisher()
    sps, first, later = b"\x67aaa", b"\x65\x88first", b"\x65\x21later"
    good = publisher.packets([sps, first, later])
    assert receiver.push(*good) == [9000]
    broken = publisher.packets([sps, first, later])
    assert receiver.push(broken[0], broken[2]) == []
    assert receiver.assembler.expire(receiver.now + LOSS_WAIT)
    assert receiver.assembler.waiting


@settings(max_examples=200)
@given(st.data())
def test_whatever_the_line_does_pictures_come_whole_in_order_and_once(data: st.DataObject) -> None:
    publisher = Publisher(sequence=data.draw(st.integers(0, 3)))
    pictures = [publisher.picture(data.draw(st.integers(1, 4)), key=index % 5 == 0) for index in range(12)]
    sizes = {picture[0].timestamp: len(picture) for picture in pictures}
    keys = {picture[0].timestamp for index, picture in enumerate(pictures) if index % 5 == 0}
    arriving = []
    for position, packet in enumerate(packet for picture in pictures for packet in picture):
        for delay in data.draw(st.lists(st.integers(0, 6), min_size=0, max_size=2)) if data.draw(st.booleans()) else [0]:
            arriving.append((position + delay, packet))  # noqa: PERF401
    arriving.sort(key=lambda each: each[0])
    receiver = Receiver()
    shown: list[Assembly] = []
    for _, packet in arriving:
        shown += receiver.pictures(packet)
        if data.draw(st.integers(0, 9)) == 0:
            receiver.assembler.expire(receiver.now + LOSS_WAIT)
    times = [picture.timestamp for picture in shown]
    assert times == sorted(set(times))
    for picture in shown:
        whole = len(picture.payloads) == sizes[picture.timestamp]
        assert whole, (picture, sizes[picture.timestamp])
    for before, after in itertools.pairwise(times):
        assert after - before == 3000 or after in keys
    assert not times or times[0] in keys
