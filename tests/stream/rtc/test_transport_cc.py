"""The feedback is read by a parser of the test's own, written from draft-holmer-rmcat-transport-wide-cc-extensions-01."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from stream.limits import FEEDBACK_PACKETS, MILLISECOND, SECOND
from stream.rtc.transport_cc import TransportFeedback

TICK = 250_000


@dataclass
class Feedback:
    base: int
    count: int
    arrivals: dict[int, int | None] = field(default_factory=dict)
    """Sequence number (16 bits) to arrival in ns, None where lost."""


def read(packet: bytes) -> Feedback:
    assert packet[0] == 0x80 | 15
    assert packet[1] == 205
    assert int.from_bytes(packet[2:4]) == len(packet) // 4 - 1
    assert len(packet) % 4 == 0
    assert packet[4:12] == b"\0\0\0\1\0\0\0\2"
    base, statuses = int.from_bytes(packet[12:14]), int.from_bytes(packet[14:16])
    reference = int.from_bytes(packet[16:19], signed=True)
    feedback = Feedback(base, packet[19])
    position = 20
    symbols: list[int] = []
    while len(symbols) < statuses:
        chunk = int.from_bytes(packet[position : position + 2])
        position += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    time = reference * 64 * MILLISECOND
    for index, symbol in enumerate(symbols[:statuses]):
        number = base + index & 0xFFFF
        feedback.arrivals[number] = None
        if symbol:
            size = symbol
            assert symbol in (1, 2)
            time += int.from_bytes(packet[position : position + size], signed=size == 2) * TICK
            position += size
            feedback.arrivals[number] = time
    assert not any(symbols[statuses:])
    assert position <= len(packet) < position + 4
    return feedback


def told(writer: TransportFeedback) -> Feedback:
    packet = writer.feedback(1, 2)
    assert packet is not None
    return read(packet)


def test_nothing_came() -> None:
    writer = TransportFeedback()
    assert writer.feedback(1, 2) is None
    writer.received(5, SECOND)
    told(writer)
    assert writer.feedback(1, 2) is None


def test_arrivals_and_losses() -> None:
    writer = TransportFeedback()
    for number, when in ((100, 1000), (101, 1005), (104, 1010), (105, 1200)):
        writer.received(number, when * MILLISECOND)
    assert told(writer).arrivals == {
        100: 1000 * MILLISECOND,
        101: 1005 * MILLISECOND,
        102: None,
        103: None,
        104: 1010 * MILLISECOND,
        105: 1200 * MILLISECOND,
    }


def test_each_feedback_goes_on_where_the_last_ended_and_is_counted() -> None:
    writer = TransportFeedback()
    for turn in range(300):
        writer.received(2 * turn, turn * SECOND)
        feedback = told(writer)
        assert feedback.count == turn & 0xFF
        assert list(feedback.arrivals) == ([2 * turn - 1] if turn else []) + [2 * turn]


def test_numbers_wrap() -> None:
    writer = TransportFeedback()
    for step in range(6):
        writer.received(65_533 + step & 0xFFFF, SECOND + step * MILLISECOND)
    feedback = told(writer)
    assert list(feedback.arrivals) == [65_533, 65_534, 65_535, 0, 1, 2]
    assert None not in feedback.arrivals.values()


def test_a_reordered_packet_has_a_negative_delta() -> None:
    writer = TransportFeedback()
    for number, when in ((1, 1000), (3, 1001), (2, 1010), (4, 1012)):
        writer.received(number, when * MILLISECOND)
    assert told(writer).arrivals == {1: SECOND, 2: 1010 * MILLISECOND, 3: 1001 * MILLISECOND, 4: 1012 * MILLISECOND}


def test_one_that_was_called_lost_and_comes_late_is_told_again() -> None:
    writer = TransportFeedback()
    for number in (1, 2, 4, 5):
        writer.received(number, SECOND)
    assert told(writer).arrivals[3] is None
    writer.received(3, 1100 * MILLISECOND)
    writer.received(6, 1101 * MILLISECOND)
    feedback = told(writer)
    assert feedback.arrivals[3] == 1100 * MILLISECOND
    assert feedback.arrivals[6] == 1101 * MILLISECOND


def test_what_was_told_to_have_come_is_never_called_lost_later() -> None:
    writer = TransportFeedback()
    for number in (1, 2, 4, 5):
        writer.received(number, SECOND)
    told(writer)
    writer.received(3, 1100 * MILLISECOND)
    assert None not in told(writer).arrivals.values()


def test_a_duplicate_is_not_told_again() -> None:
    writer = TransportFeedback()
    for number in (1, 2, 3):
        writer.received(number, SECOND)
    told(writer)
    writer.received(2, 2 * SECOND)
    assert writer.feedback(1, 2) is None


def test_a_pause_longer_than_a_delta_can_say_begins_another_feedback() -> None:
    writer = TransportFeedback()
    writer.received(1, SECOND)
    writer.received(3, 10 * SECOND)
    assert told(writer).arrivals == {1: SECOND, 2: None}
    assert told(writer).arrivals == {3: 10 * SECOND}
    assert writer.feedback(1, 2) is None


def test_a_flood_is_cut_off() -> None:
    writer = TransportFeedback()
    for number in range(10 * FEEDBACK_PACKETS):
        writer.received(number & 0xFFFF, number * 1000)
    assert len(told(writer).arrivals) <= FEEDBACK_PACKETS


def test_a_jump_of_the_numbers_is_cut_off() -> None:
    writer = TransportFeedback()
    writer.received(1, SECOND)
    writer.received(30_000, SECOND)
    feedback = told(writer)
    assert len(feedback.arrivals) == FEEDBACK_PACKETS
    assert feedback.arrivals[30_000] == SECOND


@given(st.integers(0, 0xFFFF), st.integers(0, 10**15), st.data())
def test_what_is_told_is_what_came(first: int, start: int, data: st.DataObject) -> None:
    writer = TransportFeedback()
    arrived: dict[int, int] = {}
    number, now = first, start
    steps = data.draw(
        st.lists(st.tuples(st.integers(-5, 30), st.one_of(st.integers(0, 10**8), st.integers(0, 2 * 10**10))), max_size=80)
    )
    ever_told: set[int] = set()
    for step, pause in [(0, 0), *steps]:
        number, now = max(first, number + step), now + pause
        writer.received(number & 0xFFFF, now)
        arrived.setdefault(number & 0xFFFF, now)
        if data.draw(st.integers(0, 4)) == 0 and (packet := writer.feedback(1, 2)) is not None:
            for told_number, when in read(packet).arrivals.items():
                if when is None:
                    assert told_number not in ever_told
                else:
                    ever_told.add(told_number)
                    difference = (when - arrived[told_number]) % ((1 << 24) * 64 * MILLISECOND)
                    assert min(difference, (1 << 24) * 64 * MILLISECOND - difference) <= TICK
    for _ in range(200):
        packet = writer.feedback(1, 2)
        if packet is None:
            break
        ever_told |= {n for n, when in read(packet).arrivals.items() if when is not None}
    assert ever_told == set(arrived)
