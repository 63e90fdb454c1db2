from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.rtmp.chunk_reader import ChunkReader
from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import CHUNK_STREAMS, COMMAND_BYTES, MEDIA_BYTES, PARTIAL_BYTES
from stream.rtmp.message import Message
from tests.stream.rtmp.publisher import ObsWriter, chunks


def read(data: bytes, reader: ChunkReader | None = None) -> list[Message]:
    reader = reader or ChunkReader()
    reader.feed(data)
    messages = []
    while (message := reader.read()) is not None:
        messages.append(message)
    return messages


def head(kind: int, number: int, *rest: bytes) -> bytes:
    return bytes((kind << 6 | number,)) + b"".join(rest)


def u24(value: int) -> bytes:
    return value.to_bytes(3)


def test_one_message() -> None:
    assert read(chunks(9, b"abc", on=6, stream=1, time=7)) == [Message(9, 7, 1, bytearray(b"abc"))]


def test_a_message_in_many_chunks_interleaved_with_another() -> None:
    video, audio = bytes(range(256)), b"x" * 200
    first, second = chunks(9, video, on=6), chunks(8, audio, on=4)
    # 12 bytes of header and 128 of payload; then 1 and up to 128.
    data = first[:140] + second[:140] + first[140:] + second[140:]
    assert [bytes(message.payload) for message in read(data)] == [video, audio]


def test_what_headers_leave_out_is_as_before() -> None:
    data = head(0, 4, u24(1000), u24(2), b"\x09", b"\1\0\0\0", b"ab")
    data += head(1, 4, u24(40), u24(3), b"\x08", b"cde")
    data += head(2, 4, u24(20), b"fgh")
    data += head(3, 4, b"ijk")
    assert [message[:3] for message in read(data)] == [(9, 1000, 1), (8, 1040, 1), (8, 1060, 1), (8, 1080, 1)]


def test_format_3_after_format_0_repeats_its_time_stamp_as_difference() -> None:
    """Section 5.3.1.2.4; what ffmpeg writes where it fits."""
    data = head(0, 4, u24(30), u24(1), b"\x09", b"\1\0\0\0", b"a") + head(3, 4, b"b") + head(3, 4, b"c")
    assert [message.timestamp for message in read(data)] == [30, 60, 90]


def test_differences_wrap_at_32_bits() -> None:
    data = head(0, 4, u24(0xFFFFFF), u24(1), b"\x09", b"\1\0\0\0", (0xFFFFFFF0).to_bytes(4), b"a") + head(2, 4, u24(32), b"b")
    assert [message.timestamp for message in read(data)] == [0xFFFFFFF0, 0x10]


def test_a_difference_may_be_extended() -> None:
    """An unsigned one of -20 ms, as OBS sends it."""
    data = head(0, 4, u24(1000), u24(1), b"\x09", b"\1\0\0\0", b"a") + head(1, 4, u24(0xFFFFFF), u24(1), b"\x08")
    data += (0xFFFFFFEC).to_bytes(4) + b"b" + head(2, 4, u24(40), b"c")
    assert [message.timestamp for message in read(data)] == [1000, 980, 1020]


TIME = 0x01020304


@pytest.mark.parametrize("repeated", [TIME.to_bytes(4), b""], ids=["repeated", "left out"])
def test_extended_time_stamps_on_later_chunks_of_the_message(repeated: bytes) -> None:
    payload = bytes(range(250)) + bytes(150)
    data = head(0, 4, u24(0xFFFFFF), u24(400), b"\x09", b"\1\0\0\0", TIME.to_bytes(4), payload[:128])
    for begin in range(128, 400, 128):
        data += head(3, 4, repeated, payload[begin : begin + 128])
    data += (
        head(2, 4, u24(10), payload[:128])
        + head(3, 4, payload[128:256])
        + head(3, 4, payload[256:384])
        + head(3, 4, payload[384:])
    )
    messages = read(data)
    assert [message.timestamp for message in messages] == [TIME, TIME + 10]
    assert [bytes(message.payload) for message in messages] == [payload, payload]


def test_an_extended_time_stamp_on_format_3_that_begins_a_message() -> None:
    first = head(0, 4, u24(0xFFFFFF), u24(1), b"\x09", b"\1\0\0\0", TIME.to_bytes(4), b"a")
    assert [m.timestamp for m in read(first + head(3, 4, TIME.to_bytes(4), b"b"))] == [TIME, TIME]


def test_chunk_streams_of_two_and_three_byte_numbers() -> None:
    body = u24(5) + u24(1) + b"\x08" + b"\1\0\0\0" + b"a"
    data = b"\x00\x00" + body + b"\x01\x00\x01" + body + b"\xc0\x00b" + b"\xc1\x00\x01c"
    assert [bytes(message.payload) for message in read(data)] == [b"a", b"a", b"b", b"c"]


def test_format_1_may_begin_a_chunk_stream() -> None:
    """librtmp's answer to a ping."""
    assert read(head(1, 2, u24(0), u24(6), b"\x04", b"\0\7\0\0\0\1")) == [Message(4, 0, 0, bytearray(b"\0\7\0\0\0\1"))]


def test_an_empty_message() -> None:
    assert read(chunks(9, b"") + chunks(8, b"a", on=4)) == [Message(9, 0, 0, bytearray()), Message(8, 0, 0, bytearray(b"a"))]


def test_chunk_size_changes_between_chunks() -> None:
    payload = bytes(1000)
    data = chunks(9, payload, on=6)
    larger = chunks(1, (600).to_bytes(4), on=2)
    data = data[:140] + larger + b"\xc6" + payload[:600] + b"\xc6" + payload[: 1000 - 728]
    assert read(data) == [Message(9, 0, 0, bytearray(payload))]


def test_abort_drops_what_came_of_a_message() -> None:
    reader = ChunkReader()
    data = chunks(9, bytes(200), on=6)[:140] + chunks(2, (6).to_bytes(4), on=2) + chunks(8, b"a", on=6)
    assert read(data, reader) == [Message(8, 0, 0, bytearray(b"a"))]
    assert reader.partial == 0
    assert read(chunks(2, (99).to_bytes(4), on=2), reader) == []


def test_obs_chunks() -> None:
    writer = ObsWriter()
    sent = [
        (18, bytes(50), 0),
        (9, bytes(300), 0),
        (8, b"abc", 0),
        (9, bytes(300), 33),
        (8, b"def", 21),
        (8, b"ghi", 43),
        (8, b"", 64),
    ]
    messages = read(b"".join(writer.message(*message) for message in sent))
    assert [(message.kind, bytes(message.payload), message.timestamp) for message in messages] == sent


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (head(3, 5), "begins with format 3"),
        (head(2, 5, u24(1)), "begins with format 2"),
        (chunks(1, bytes(4), on=2), "chunk size of 0"),
        (chunks(1, (1).to_bytes(4), on=2), "chunk size of 1"),
        (chunks(1, b"\xff\xff\xff\xff", on=2), "chunk size of 4294967295"),
        (chunks(1, b"\1", on=2), "cut off"),
        (chunks(2, b"", on=2), "cut off"),
        (chunks(9, bytes(200), on=6)[:140] + chunks(9, b"a", on=6), "before the one before has ended"),
        (head(0, 3, u24(0), u24(COMMAND_BYTES + 1), b"\x14", bytes(4)), "of type 20 with 65537 bytes; 65536 are allowed"),
        (head(0, 3, u24(0), u24(COMMAND_BYTES + 1), b"\x09", bytes(4)), "of type 9 with 65537 bytes"),
        (b"".join(chunks(4, bytes(6), on=2 + index) for index in range(CHUNK_STREAMS + 1)), "more than 32 chunk streams"),
    ],
)
def test_what_breaks_the_protocol_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(RtmpError, match=words):
        read(data)


def test_media_may_be_larger_once_they_are_allowed() -> None:
    reader = ChunkReader()
    reader.max_media = MEDIA_BYTES
    assert read(head(0, 3, u24(0), u24(MEDIA_BYTES), b"\x09", bytes(4)), reader) == []
    with pytest.raises(RtmpError, match="8388608 are allowed"):
        read(head(0, 3, u24(0), u24(MEDIA_BYTES + 1), b"\x09", bytes(4)), ChunkReaderAllowing())
    with pytest.raises(RtmpError, match="65536 are allowed"):
        read(head(0, 3, u24(0), u24(COMMAND_BYTES + 1), b"\x12", bytes(4)), ChunkReaderAllowing())


class ChunkReaderAllowing(ChunkReader):
    def __init__(self) -> None:
        super().__init__()
        self.max_media = MEDIA_BYTES


def test_what_is_not_complete_is_bounded_over_all_chunk_streams() -> None:
    reader = ChunkReaderAllowing()
    size = 1 << 20
    read(chunks(1, size.to_bytes(4), on=2), reader)
    parts = [
        head(0, 3 + index, u24(0), u24(2 * size), b"\x09", bytes(4)) + bytes(size) for index in range(PARTIAL_BYTES // size + 1)
    ]
    for part in parts[:-1]:
        assert read(part, reader) == []
    assert reader.partial == PARTIAL_BYTES
    with pytest.raises(RtmpError, match="not complete"):
        read(parts[-1], reader)


def test_a_long_message_that_does_not_come_takes_no_memory() -> None:
    reader = ChunkReaderAllowing()
    read(head(0, 3, u24(0), u24(MEDIA_BYTES), b"\x09", bytes(4), b"a"), reader)
    assert reader.partial == 1


message = st.tuples(
    st.sampled_from((8, 9, 18, 20)),
    st.binary(max_size=700),
    st.integers(3, 6),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from((0, 1)),
)


@given(st.lists(message, max_size=6), st.data())
@settings(max_examples=100)
def test_messages_are_the_same_however_the_bytes_come(sent: list[tuple[int, bytes, int, int, int]], data: st.DataObject) -> None:
    whole = b"".join(chunks(kind, payload, on=on, time=time, stream=stream) for kind, payload, on, time, stream in sent)
    reader, messages, begin = ChunkReader(), [], 0
    while begin < len(whole):
        end = begin + data.draw(st.integers(1, 400))
        messages += read(whole[begin:end], reader)
        begin = end
    assert messages == [Message(kind, time, stream, bytearray(payload)) for kind, payload, _, time, stream in sent]
    assert reader.partial == 0
    assert reader.consumed == len(whole)


@given(st.lists(st.binary(max_size=200), max_size=8))
@settings(max_examples=300)
def test_any_bytes_give_messages_or_an_error_of_ours(pieces: list[bytes]) -> None:
    reader = ChunkReader()
    try:
        for piece in pieces:
            read(piece, reader)
            assert reader.partial <= sum(map(len, pieces))
    except RtmpError:
        return
