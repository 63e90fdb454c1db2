"""The line on a clock that the tests set: times are exact, in ns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.line.line import HEADERS, MAX_PACKETS, Line
from bench.line.script import Impairment, Script, steady

MS = 1_000_000
SECOND = 1000 * MS


def packet(number: int, size: int = 100) -> bytes:
    return number.to_bytes(4) + bytes(size - 4)


def numbers(out: list[tuple[int, bytes]]) -> list[int]:
    """In the order in which they come out."""
    return [int.from_bytes(data[:4]) for _, data in sorted(out, key=lambda item: item[0])]


def run(line: Line, count: int, interval: int = MS, size: int = 100) -> list[tuple[int, bytes]]:
    """Pushes packets 0, 1, ... at a steady pace from time 0."""
    return [item for number in range(count) for item in line.push(packet(number, size), number * interval)]


def test_a_clean_line_passes_everything_at_once() -> None:
    line = Line()
    assert line.push(b"one", 7) == [(7, b"one")]
    assert (line.counts.taken, line.counts.delivered, line.counts.dropped, line.counts.octets) == (1, 1, 0, 3)


def test_delay_is_added_to_each_packet() -> None:
    line = Line(steady(Impairment(delay=40)))
    assert line.push(b"one", 5) == [(5 + 40 * MS, b"one")]
    assert line.push(b"two", 6) == [(6 + 40 * MS, b"two")]


def test_a_rate_makes_packets_wait_for_each_other() -> None:
    # 1000 bytes with headers are 8000 bits: 4 ms at 2 Mb/s.
    line = Line(steady(Impairment(rate=2_000_000, delay=10)))
    data = bytes(1000 - HEADERS)
    assert [line.push(data, 0)[0][0] for _ in range(3)] == [14 * MS, 18 * MS, 22 * MS]
    assert line.push(data, 6 * MS)[0][0] == 26 * MS
    assert line.push(data, 50 * MS)[0][0] == 64 * MS, "an idle line has saved nothing up"
    assert line.counts.queued_ns == (0 + 4 + 8 + 6 + 0) * MS
    assert line.counts.queued_max_ns == 8 * MS
    assert line.counts.queue_ms == [8.0]


def test_the_queues_tail_is_dropped_by_its_depth_in_ms() -> None:
    line = Line(steady(Impairment(rate=2_000_000, queue_ms=8)))
    data = bytes(1000 - HEADERS)
    assert [len(line.push(data, 0)) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert line.counts.dropped_by_queue == 2
    assert line.push(data, 4 * MS) == [(16 * MS, data)]


def test_the_queues_tail_is_dropped_by_its_depth_in_bytes() -> None:
    line = Line(steady(Impairment(rate=2_000_000, queue_bytes=2000)))
    data = bytes(1000 - HEADERS)
    assert [len(line.push(data, 0)) for _ in range(3)] == [1, 1, 0]
    assert line.push(data, 4 * MS - 1) == []
    assert line.push(data, 4 * MS) == [(12 * MS, data)]
    assert line.counts.dropped_by_queue == 2


def test_what_is_in_the_queue_leaves_at_the_rates_of_its_time() -> None:
    # 16 000 bits: 8 ms at 2 Mb/s, of which 2 ms are done when the rate halves.
    script = Script(((0.0, Impairment(rate=2_000_000)), (0.002, Impairment(rate=1_000_000)), (0.1, Impairment())))
    line = Line(script)
    assert line.push(bytes(2000 - HEADERS), 0)[0][0] == 2 * MS + 12 * MS
    assert line.push(bytes(1000 - HEADERS), 1 * MS)[0][0] == 22 * MS
    assert line.push(bytes(20_000), 99 * MS)[0][0] == 100 * MS, "without a limit the rest leaves at once"


def test_times_are_from_the_first_packet_on() -> None:
    line = Line(Script(((0.0, Impairment()), (1.0, Impairment(delay=5)))))
    start = 123 * SECOND
    assert line.push(b"a", start)[0][0] == start
    assert line.push(b"b", start + SECOND - 1)[0][0] == start + SECOND - 1
    assert line.push(b"c", start + SECOND)[0][0] == start + SECOND + 5 * MS
    assert line.began == start


def test_packets_stay_in_order_when_the_delay_falls() -> None:
    line = Line(Script(((0.0, Impairment(delay=100)), (0.01, Impairment(delay=0)))))
    assert line.push(b"a", 0)[0][0] == 100 * MS
    assert line.push(b"b", 50 * MS)[0][0] == 100 * MS
    assert line.push(b"c", 101 * MS)[0][0] == 101 * MS


def test_jitter_is_within_its_bound_and_keeps_the_order() -> None:
    line = Line(steady(Impairment(delay=20, jitter=30)), seed=1)
    out = run(line, 2000)
    late = [due - number * MS - 20 * MS for number, (due, _) in enumerate(out)]
    assert min(late) >= 0
    assert max(late) <= 30 * MS
    assert max(late) - min(late) > 15 * MS
    assert [due for due, _ in out] == sorted(due for due, _ in out)
    assert numbers(out) == list(range(2000))


def test_scripted_drops_take_the_next_packets() -> None:
    line = Line(Script(drops=((0.003, 2), (0.010, 3))))
    assert numbers(run(line, 20)) == [n for n in range(20) if n not in (3, 4, 10, 11, 12)]
    assert line.counts.dropped_by_script == 5


def test_drops_on_demand() -> None:
    line = Line()
    line.drop_next(2)
    assert numbers(run(line, 5)) == [2, 3, 4]


def test_random_loss_has_its_share_and_no_memory() -> None:
    line = Line(steady(Impairment(loss=0.05)), seed=3)
    got = set(numbers(run(line, 20_000)))
    lost = [n for n in range(20_000) if n not in got]
    assert line.counts.lost == len(lost)
    assert 850 < len(lost) < 1150
    following = sum(1 for n in lost if n + 1 not in got and n + 1 < 20_000)
    assert 25 < following < 80, "one loss in twenty is followed by another"


def test_bad_spells_have_their_length() -> None:
    line = Line(steady(Impairment(bad_begins=0.002, bad_ends=0.05)), seed=4)
    got = set(numbers(run(line, 50_000)))
    spells: list[int] = []
    for number in range(50_000):
        if number not in got:
            if number - 1 not in got and number and spells:
                spells[-1] += 1
            else:
                spells.append(1)
    assert 14 < sum(spells) / len(spells) < 26
    assert line.counts.lost_in_bursts == sum(spells)


def test_duplicates() -> None:
    line = Line(steady(Impairment(duplicate=1.0, delay=1)))
    assert line.push(b"a", 0) == [(MS, b"a"), (MS, b"a")]
    assert (line.counts.delivered, line.counts.duplicated, line.counts.octets) == (2, 1, 2)


def test_reordered_packets_are_overtaken() -> None:
    line = Line(steady(Impairment(reorder=0.1, reorder_by=5)), seed=2)
    order = numbers(run(line, 200))
    assert sorted(order) == list(range(200))
    moved = [number for place, number in enumerate(order) if any(after < number for after in order[place:])]
    assert line.counts.reordered > 10
    assert len(moved) >= 10


def test_the_same_seed_does_the_same() -> None:
    rough = Impairment(delay=9, jitter=9, loss=0.1, bad_begins=0.01, bad_ends=0.2, duplicate=0.1, reorder=0.1, reorder_by=20)
    first, again, other = (run(Line(steady(rough), seed), 500) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_a_line_without_a_queues_depth_is_bounded_all_the_same() -> None:
    line = Line(steady(Impairment(rate=1000)))
    for number in range(MAX_PACKETS + 5):
        line.push(packet(number), 0)
    assert line.counts.dropped_by_queue == 5


def test_an_hour_of_queue_depths_is_kept() -> None:
    line = Line()
    line.push(b"a", 0)
    line.push(b"b", 10**6 * SECOND)
    assert len(line.counts.queue_ms) <= 3600


@given(
    st.lists(st.tuples(st.integers(0, 20 * MS), st.integers(1, 1500)), max_size=60),
    st.integers(100_000, 10_000_000),
    st.integers(0, 100),
    st.integers(0, 2**32),
)
def test_no_packet_is_early_or_faster_than_the_rate(sends: list[tuple[int, int]], rate: int, depth: int, seed: int) -> None:
    line = Line(steady(Impairment(rate=rate, queue_ms=depth, jitter=3, loss=0.1)), seed)
    now, before = 0, 0
    for gap, size in sends:
        now += gap
        for due, data in line.push(bytes(size), now):
            serialised = (size + HEADERS) * 8 * SECOND // rate
            assert due >= now + serialised
            assert due <= now + serialised + (depth + 3) * MS + 2 + (before - now if before > now else 0)
            assert due >= before
            assert data == bytes(size)
            before = due
    assert line.counts.taken == line.counts.delivered + line.counts.dropped


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": 1.1},
        {"loss": -0.1},
        {"delay": -1},
        {"delay": 1e9},
        {"rate": 0},
        {"queue_ms": 5.0},
        {"rate": 5000, "queue_bytes": -1},
    ],
)
def test_what_no_line_can_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Impairment(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": ()},
        {"steps": ((1.0, Impairment()),)},
        {"steps": ((0.0, Impairment()), (0.0, Impairment()))},
        {"drops": ((1.0, 0),)},
        {"drops": ((2.0, 1), (1.0, 1))},
    ],
)
def test_what_no_script_can_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="script"):
        Script(**wrong)


def test_an_impairment_says_what_it_is() -> None:
    assert str(Impairment()) == "clean"
    assert str(Impairment(delay=20, loss=0.02)) == "delay 20, loss 0.02"
