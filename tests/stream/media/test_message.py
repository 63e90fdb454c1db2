from __future__ import annotations

import json

import pytest

from stream.media.message import HEADER_SIZE, End, Format, Header, pack, pack_document, unpack


def test_a_packet_comes_back() -> None:
    message = pack("picture", b"abc", keyframe=True, pts=1 << 40, dts=-5)
    assert unpack(message[:HEADER_SIZE]) == Header("picture", True, 1 << 40, -5, 3)
    assert message[HEADER_SIZE:] == b"abc"


@pytest.mark.parametrize("document", [Format("H264", 64, 48, "AAC", "1190"), End("over", final=True)])
def test_a_document_comes_back(document: Format | End) -> None:
    message = pack_document(document)
    assert unpack(message[:HEADER_SIZE]).size == len(message) - HEADER_SIZE
    assert type(document)(**json.loads(message[HEADER_SIZE:])) == document


@pytest.mark.parametrize("header", [b"", bytes(HEADER_SIZE), b"X" * HEADER_SIZE, b"P" * (HEADER_SIZE + 1)])
def test_anything_else_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match=r"message|unpack"):
        unpack(header)
