from __future__ import annotations

import pytest

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import AGGREGATE_MESSAGES
from stream.rtmp.message import Message, parts


def part(kind: int, time: int, payload: bytes) -> bytes:
    header = bytes((kind,)) + len(payload).to_bytes(3) + (time & 0xFFFFFF).to_bytes(3) + bytes((time >> 24,)) + bytes(3)
    return header + payload + (11 + len(payload)).to_bytes(4)


def aggregate(payload: bytes, time: int = 0) -> Message:
    return Message(22, time, 1, bytearray(payload))


def test_parts_are_on_the_clock_of_the_whole() -> None:
    whole = aggregate(part(9, 0x01000000, b"abc") + part(8, 0x01000014, b"d") + part(18, 0x01000000, b""), time=5000)
    assert list(parts(whole)) == [
        Message(9, 5000, 1, bytearray(b"abc")),
        Message(8, 5020, 1, bytearray(b"d")),
        Message(18, 5000, 1, bytearray()),
    ]


def test_their_clock_wraps() -> None:
    assert [p.timestamp for p in parts(aggregate(part(9, 10, b"a") + part(9, 30, b"a"), time=0xFFFFFFFA))] == [0xFFFFFFFA, 14]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (part(9, 0, b"abc")[:-1], "cut off"),
        (b"\x09\xff\xff\xff" + bytes(7), "cut off"),
        (b"\x09", "cut off"),
        (part(22, 0, part(9, 0, b"a")), "type 22 within"),
        (part(20, 0, b"a"), "type 20 within"),
        (part(8, 0, b"") * (AGGREGATE_MESSAGES + 1), "more than 256"),
    ],
)
def test_what_is_no_aggregate_is_refused(payload: bytes, words: str) -> None:
    with pytest.raises(RtmpError, match=words):
        list(parts(aggregate(payload)))
