from __future__ import annotations

import pytest

from stream.rtmp.errors import RtmpError
from stream.rtmp.handshake import Handshake

NOISE = bytes(range(256)) * 5 + bytes(248)
C1 = bytes(8) + b"\x5a" * 1528


def test_c1_is_answered_with_s0_s1_and_itself() -> None:
    handshake = Handshake(NOISE)
    answer = handshake.receive(b"\3" + C1)
    assert answer == b"\3" + bytes(8) + NOISE + C1
    assert handshake.rest is None
    assert handshake.receive(answer[1:1537]) == b""
    assert handshake.rest == b""


def test_byte_by_byte_it_is_answered_once_and_keeps_what_follows() -> None:
    handshake = Handshake(NOISE)
    answers = [handshake.receive(bytes((byte,))) for byte in b"\3" + C1 + bytes(1536)]
    assert [len(answer) for answer in answers if answer] == [3073]
    assert len(answers[1536]) == 3073
    assert handshake.rest == b""


def test_what_comes_with_it_is_kept() -> None:
    handshake = Handshake()
    assert len(handshake.receive(b"\3" + C1 + bytes(1536) + b"connect")) == 3073
    assert handshake.rest == b"connect"


def test_two_servers_say_different_noise() -> None:
    assert Handshake().receive(b"\3" + C1) != Handshake().receive(b"\3" + C1)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\x06" + C1, b"\0"])
def test_anything_else_is_refused_at_its_first_byte(data: bytes) -> None:
    with pytest.raises(RtmpError, match="not RTMP"):
        Handshake().receive(data[:1])
