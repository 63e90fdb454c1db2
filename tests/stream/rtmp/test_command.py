from __future__ import annotations

import pytest

from stream.rtmp import command
from stream.rtmp.amf0 import decode, encode
from stream.rtmp.errors import RtmpError


def test_a_call() -> None:
    call = command.parse(encode("publish", 5, None, "me", "live"))
    assert call == command.Command("publish", 5.0, [None, "me", "live"])
    assert call.text(1) == "me"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "without a name"),
        (encode(1, 1), "without a name"),
        (encode("connect", "1"), "no number"),
        (encode("connect", float("nan")), "no number"),
        (encode("connect", float("inf")), "no number"),
        (b"\x02\0\3abc\x00\x01", "cut off"),
    ],
)
def test_what_is_no_call_is_refused(payload: bytes, words: str) -> None:
    with pytest.raises(RtmpError, match=words):
        command.parse(payload)


def test_text_that_is_missing() -> None:
    for payload in (encode("publish", 5), encode("publish", 5, None), encode("publish", 5, None, 7)):
        with pytest.raises(RtmpError, match="publish lacks text as its argument 1"):
            command.parse(payload).text(1)


def test_connect_is_told_what_is_taken() -> None:
    name, transaction, properties, information = decode(command.connected(1.0))
    assert (name, transaction) == ("_result", 1.0)
    assert isinstance(properties, dict)
    assert isinstance(information, dict)
    assert information["code"] == "NetConnection.Connect.Success"
    assert information["objectEncoding"] == 0.0
    assert properties["videoFourCcInfoMap"] == {"avc1": 1.0, "hvc1": 1.0, "av01": 1.0, "vp09": 1.0, "vp08": 1.0}
    assert properties["audioFourCcInfoMap"] == {"mp4a": 1.0, "Opus": 1.0}
    assert properties["fourCcList"] == ["avc1", "hvc1", "av01", "vp09", "vp08", "mp4a", "Opus"]
    assert properties["capsEx"] == 2 + 4 + 8


def test_a_request_does_not_show_its_token() -> None:
    request = command.PublishRequest("live", "me", "token=secret")
    assert str(request) == "live/me"
    assert "secret" not in repr(request)
