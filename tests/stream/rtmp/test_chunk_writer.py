from __future__ import annotations

import pytest

from stream.rtmp.chunk_writer import ChunkWriter
from tests.stream.rtmp.publisher import chunks
from tests.stream.rtmp.test_chunk_reader import read


def test_a_full_header_and_chunks_of_128() -> None:
    payload = bytes(range(256)) + b"end"
    assert ChunkWriter().message(5, 20, payload, 1, 77) == chunks(20, payload, on=5, stream=1, time=77)


@pytest.mark.parametrize("time", [0, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF])
def test_time_stamps_of_any_size_are_read_again(time: int) -> None:
    [message] = read(ChunkWriter().message(5, 9, bytes(500), 1, time))
    assert (message.timestamp, bytes(message.payload)) == (time, bytes(500))


def test_what_follows_a_chunk_size_keeps_to_it() -> None:
    writer = ChunkWriter()
    data = writer.set_chunk_size(4096) + writer.message(5, 9, bytes(5000))
    assert len(data) == 12 + 4 + 12 + 1 + 5000
    assert [message.payload for message in read(data)] == [bytes(5000)]
