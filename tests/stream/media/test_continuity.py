from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.media.continuity import Continuity
from stream.media.limits import BACKWARD, FORWARD, SHORTEST_ROUND, TICKS

FRAME = TICKS // 30
PICTURES, SOUND = 0, 1


def test_the_first_packet_is_put_at_the_beginning() -> None:
    continuity = Continuity(7)
    assert 1000 + continuity.place(PICTURES, 1000, FRAME) == 7
    assert 1500 + continuity.place(SOUND, 1500, FRAME) == 507


def rounds(tracks: dict[int, tuple[int, int]], count: int) -> dict[int, list[tuple[int, int]]]:
    """Each track's placed beginnings and ends, of a source whose tracks (start, packets) are as said."""
    continuity = Continuity()
    placed: dict[int, list[tuple[int, int]]] = {track: [] for track in tracks}
    for _ in range(count):
        packets = sorted((start + number * FRAME, track) for track, (start, length) in tracks.items() for number in range(length))
        for dts, track in packets:
            at = dts + continuity.place(track, dts, FRAME)
            placed[track].append((at, at + FRAME))
        continuity.next_round()
    return placed


def test_rounds_follow_without_gap_or_overlap() -> None:
    placed = rounds({PICTURES: (500, 30)}, 3)[PICTURES]
    assert [begin for begin, _ in placed] == [number * FRAME for number in range(90)]


@given(
    st.dictionaries(st.sampled_from((PICTURES, SOUND)), st.tuples(st.integers(-TICKS, TICKS), st.integers(4, 60)), min_size=1),
)
def test_tracks_of_any_length_stay_together_and_overlap_nowhere(tracks: dict[int, tuple[int, int]]) -> None:
    placed = rounds(tracks, 3)
    for track in placed:
        ends = [end for _, end in placed[track]][:-1]
        assert all(begin >= end for (begin, _), end in zip(placed[track][1:], ends, strict=True))
    # The longest goes on without a gap.
    lengths = {track: length for track, (_, length) in tracks.items()}
    longest = max(lengths, key=lambda track: lengths[track])
    count = lengths[longest]
    assert placed[longest][count][0] == max(placed[longest][count - 1][1], placed[longest][0][0] + SHORTEST_ROUND)
    # As far apart in each round as in the source.
    if len(tracks) == 2:
        apart = {
            placed[PICTURES][number * lengths[PICTURES]][0] - placed[SOUND][number * lengths[SOUND]][0] for number in range(3)
        }
        assert apart == {tracks[PICTURES][0] - tracks[SOUND][0]}


def test_a_round_of_one_picture_counts_for_more() -> None:
    begins = [begin for begin, _ in rounds({PICTURES: (0, 1)}, 3)[PICTURES]]
    assert begins == [0, SHORTEST_ROUND, 2 * SHORTEST_ROUND]


def test_a_clock_that_is_set_moves_all_tracks() -> None:
    for jump in (2 * FORWARD, -2 * BACKWARD):
        continuity = Continuity()
        base = 100 * TICKS
        for number in range(30):
            continuity.place(PICTURES, base + number * FRAME, FRAME)
            continuity.place(SOUND, base + number * FRAME, FRAME)
        after = base + 30 * FRAME + jump
        assert after + continuity.place(PICTURES, after, FRAME) == 30 * FRAME
        assert after + continuity.place(SOUND, after, FRAME) == 30 * FRAME


def test_a_pause_is_none() -> None:
    continuity = Continuity()
    continuity.place(PICTURES, 0, FRAME)
    assert continuity.place(PICTURES, FORWARD, FRAME) == 0


def test_a_second_round_before_anything_came_is_nothing() -> None:
    continuity = Continuity(5)
    continuity.next_round()
    assert continuity.place(PICTURES, 0, FRAME) == 5
