from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import MODIFIERS, TRACKS
from stream.rtmp.tag import Selection, Track, parse

MULTITRACK = 6


def read(data: bytes) -> tuple[int, int, list[Track]]:
    return parse(bytearray(data), MULTITRACK)


def test_one_track() -> None:
    assert read(b"\x91hvc1data") == (1, 0, [Track(0, b"hvc1", 5, 9)])


def test_a_modifier_of_the_time_stamp() -> None:
    assert read(b"\x97\x02\x07\xa1\x20\x01hvc1d") == (1, 500_000, [Track(0, b"hvc1", 10, 11)])


def test_modifiers_that_nobody_knows_are_passed_over() -> None:
    assert read(b"\x97\x00\xff\x17" + b"\xff" + (299).to_bytes(2) + bytes(300) + b"\x21" + b"av01d")[:2] == (1, 0)


def test_one_track_of_several() -> None:
    assert read(b"\x96\x01av01\x03data") == (1, 0, [Track(3, b"av01", 7, 11)])


def test_many_tracks_of_one_codec() -> None:
    assert read(b"\x96\x11av01" + b"\x00\0\0\2ab" + b"\x05\0\0\1c") == (
        1,
        0,
        [Track(0, b"av01", 10, 12), Track(5, b"av01", 16, 17)],
    )


def test_many_tracks_of_many_codecs() -> None:
    data = b"\x96\x20" + b"av01\x00\0\0\2ab" + b"hvc1\x01\0\0\1c"
    assert read(data) == (0, 0, [Track(0, b"av01", 10, 12), Track(1, b"hvc1", 20, 21)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x91hvc", "cut off"),
        (b"\x97", "cut off"),
        (b"\x97\x05ab", "cut off"),
        (b"\x96", "cut off"),
        (b"\x96\x01av01", None),
        (b"\x96\x11av01\x00\0\0", "cut off"),
        (b"\x96\x11av01\x00\0\0\5ab", "cut off"),
        (b"\x96\x31av01\x00", "no multitrack type 3"),
        (b"\x96\x11av01" + bytes(4) * (TRACKS + 1), "more than 16 tracks"),
        (b"\x97" + b"\0\0\x07" * (MODIFIERS + 1), "more than 8 modifiers"),
    ],
)
def test_what_is_no_tag_is_refused(data: bytes, words: str | None) -> None:
    if words is None:
        assert read(data)[2] == []
        return
    with pytest.raises(RtmpError, match=words):
        read(data)


@given(st.binary(min_size=1, max_size=80), st.sampled_from((5, 6)))
def test_tracks_lie_within_their_message(data: bytes, multitrack: int) -> None:
    try:
        tracks = parse(bytearray(data), multitrack).tracks
    except RtmpError:
        return
    assert all(len(track.fourcc) == 4 and 0 < track.begin <= track.end <= len(data) for track in tracks)


def tracks(*numbers: int) -> list[Track]:
    return [Track(number, b"av01", number, number) for number in numbers]


def test_the_lowest_track_that_was_seen_is_taken() -> None:
    selection = Selection()
    taken = [selection.take(tracks(*numbers)) for numbers in ((3, 2), (3,), (2,), (0, 2), (2,), ())]
    assert [track and track.number for track in taken] == [2, None, 2, 0, None, None]


def test_or_the_one_that_was_asked_for() -> None:
    selection = Selection(2)
    taken = [selection.take(tracks(*numbers)) for numbers in ((0, 1), (2, 3), (0,))]
    assert [track and track.number for track in taken] == [None, 2, None]
