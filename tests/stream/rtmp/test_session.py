from __future__ import annotations

from typing import Any

import pytest

from stream.rtmp import amf0
from stream.rtmp.amf0 import Value
from stream.rtmp.command import PublishRequest
from stream.rtmp.errors import Refused, RtmpError
from stream.rtmp.limits import (
    BYTES_BEFORE_PUBLISH,
    COMMANDS_BEFORE_PUBLISH,
    MEDIA_BYTES,
    NAME_LENGTH,
    SENT_CHUNK_SIZE,
    WINDOW,
    WORK,
)
from stream.rtmp.message import Message
from stream.rtmp.session import Session
from tests.stream.rtmp.publisher import HELLO, call, chunks, connect, opening, publish
from tests.stream.rtmp.test_chunk_reader import read
from tests.stream.rtmp.test_message import part


class Sink:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes, int]] = []
        self.properties: dict[str, Value] = {}

    def video(self, payload: bytearray, time: int) -> None:
        self.got.append(("video", bytes(payload), time))

    def audio(self, payload: bytearray, time: int) -> None:
        self.got.append(("audio", bytes(payload), time))

    def metadata(self, properties: dict[str, Value]) -> None:
        self.properties = properties

    def closed(self, reason: str) -> None:
        raise AssertionError("a session leaves that to its connection")


class Peer:
    """A session and what it does."""

    def __init__(self) -> None:
        self.written = b""
        self.requests: list[PublishRequest] = []
        self.sink = Sink()
        self.session = Session(self)

    def write(self, data: bytes) -> None:
        self.written += data

    def decide(self, request: PublishRequest) -> None:
        self.requests.append(request)

    def send(self, data: bytes) -> None:
        self.session.receive(data)
        while self.session.work():
            pass

    def said(self) -> list[Message]:
        """All messages so far."""
        return read(self.written[3073:])

    def answers(self) -> list[list[Any]]:
        return [amf0.decode(message.payload) for message in self.said() if message.kind == 20]

    def status(self) -> dict[str, Any]:
        name, _, _, information = self.answers()[-1]
        assert name == "onStatus"
        return dict(information)


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def connected(peer: Peer) -> Peer:
    peer.send(HELLO + bytes(1536) + connect())
    return peer


@pytest.fixture
def publishing(connected: Peer) -> Peer:
    connected.send(publish("me"))
    connected.session.accept(connected.sink)
    return connected


def test_connect_is_answered_with_windows_a_chunk_size_and_yes(connected: Peer) -> None:
    assert [(m.kind, bytes(m.payload)) for m in connected.said() if m.kind != 20] == [
        (5, WINDOW.to_bytes(4)),
        (6, WINDOW.to_bytes(4) + b"\2"),
    ]
    assert chunks(1, SENT_CHUNK_SIZE.to_bytes(4), on=2) in connected.written
    [answer] = connected.answers()
    assert answer[:2] == ["_result", 1.0]


def test_create_stream_and_its_kin_are_answered(connected: Peer) -> None:
    connected.send(call("releaseStream", 2, None, "me") + call("FCPublish", 3, None, "me") + call("createStream", 4, None))
    connected.send(call("_checkbw", 5, None) + call("getStreamLength", 6, None, "me") + call("unanswered", 0, None))
    assert [answer[:2] for answer in connected.answers()[1:]] == [
        ["_result", 2.0],
        ["_result", 3.0],
        ["_result", 4.0],
        ["_result", 5.0],
        ["_error", 6.0],
    ]
    assert connected.answers()[3][3] == 1.0


@pytest.mark.parametrize(
    ("key", "name", "query"),
    [("me", "me", ""), ("me?token=a?b=c", "me", "token=a?b=c"), ("me?", "me", ""), ("a/b", "a/b", "")],
)
def test_a_key_is_asked_about_as_it_was_said(connected: Peer, key: str, name: str, query: str) -> None:
    connected.send(publish(key))
    assert connected.requests == [PublishRequest("live", name, query)]
    assert connected.session.state == "deciding"


def test_an_app_has_no_slashes_around_it(peer: Peer) -> None:
    peer.send(opening("/live/sub/"))
    assert peer.requests[0].app == "live/sub"


def test_nothing_is_read_while_it_is_decided(connected: Peer) -> None:
    connected.send(publish("me") + chunks(9, b"\x17a", on=4, stream=1) + publish("other"))
    assert len(connected.requests) == 1
    connected.session.accept(connected.sink)
    assert connected.sink.got == []
    with pytest.raises(Refused, match="publishes already"):
        connected.session.work()
    assert connected.sink.got == [("video", b"\x17a", 0)]


def test_who_is_let_in_is_told_so(publishing: Peer) -> None:
    assert publishing.status()["code"] == "NetStream.Publish.Start"
    assert (4, b"\0\0\0\0\0\1") in [(m.kind, bytes(m.payload)) for m in publishing.said()]


def test_who_is_not_let_in_is_told_why(connected: Peer) -> None:
    connected.send(publish("me"))
    connected.session.refuse(Refused("the token is wrong"))
    assert connected.status() == {"level": "error", "code": "NetStream.Publish.BadName", "description": "the token is wrong"}
    said = len(connected.written)
    connected.send(connect())
    connected.session.refuse(RtmpError("again"))
    assert len(connected.written) == said


def test_before_connect_there_is_nobody_to_tell(peer: Peer) -> None:
    peer.session.refuse(RtmpError("no"))
    assert peer.written == b""


def test_media_go_to_the_sink_with_times_that_do_not_wrap(publishing: Peer) -> None:
    publishing.send(chunks(9, b"a", time=0xFFFFFFFE) + chunks(8, b"b", on=4, time=3) + chunks(9, b""))
    assert publishing.sink.got == [("video", b"a", 0xFFFFFFFE), ("audio", b"b", (1 << 32) + 3)]
    assert publishing.session.media == 3


def test_an_aggregate_is_its_parts(publishing: Peer) -> None:
    metadata = amf0.encode("onMetaData", {"a": 1.0})
    publishing.send(chunks(22, part(9, 7, b"a") + part(8, 9, b"b") + part(18, 9, metadata), time=1000))
    assert publishing.sink.got == [("video", b"a", 1000), ("audio", b"b", 1002)]
    assert publishing.sink.properties == {"a": 1.0}


def test_metadata(publishing: Peer) -> None:
    publishing.send(chunks(18, amf0.encode("@setDataFrame", "onMetaData", {"encoder": "test"})))
    assert publishing.sink.properties == {"encoder": "test"}
    publishing.send(chunks(15, b"\0" + amf0.encode("onMetaData", {"encoder": "other"})))
    assert publishing.sink.properties == {"encoder": "other"}


@pytest.mark.parametrize(
    "payload", [b"\xff", b"", amf0.encode("onTextData", {"a": 1.0}), amf0.encode("onMetaData", 1), b"\x05" * 2000]
)
def test_metadata_that_make_no_sense_are_passed_over(publishing: Peer, payload: bytes) -> None:
    publishing.send(chunks(18, payload) + chunks(9, b"a"))
    assert publishing.sink.properties == {}
    assert publishing.sink.got == [("video", b"a", 0)]


def test_commands_in_amf3_clothes(peer: Peer) -> None:
    peer.send(HELLO + bytes(1536) + chunks(17, b"\0" + amf0.encode("connect", 1, {"app": "live"})))
    assert peer.answers()[0][:2] == ["_result", 1.0]


def test_a_ping_is_answered(publishing: Peer) -> None:
    publishing.send(chunks(4, b"\0\6\1\2\3\4", on=2))
    assert bytes(publishing.said()[-1].payload) == b"\0\7\1\2\3\4"


def test_a_peers_window_is_acknowledged(publishing: Peer) -> None:
    before = len(publishing.said())
    publishing.send(chunks(5, (1000).to_bytes(4), on=2))
    [acknowledgement] = publishing.said()[before:]
    assert acknowledgement.kind == 3
    publishing.send(chunks(9, bytes(100)))
    assert len(publishing.said()) == before + 1
    publishing.send(chunks(9, bytes(900)))
    total = 3073 + len(connect() + publish("me") + chunks(5, bytes(4)) + chunks(9, bytes(100)) + chunks(9, bytes(900)))
    assert bytes(publishing.said()[-1].payload) == total.to_bytes(4)


def test_without_a_peers_window_ours_counts(publishing: Peer) -> None:
    publishing.send(chunks(5, bytes(4), on=2))
    before = len(publishing.said())
    for _ in range(WINDOW // 50_000 + 1):
        publishing.send(chunks(9, bytes(50_000)))
    assert [message.kind for message in publishing.said()[before:]] == [3]


@pytest.mark.parametrize("name", ["FCUnpublish", "deleteStream", "closeStream"])
def test_a_publisher_may_end_its_stream(publishing: Peer, name: str) -> None:
    publishing.send(call(name, 0, None, "me") + chunks(9, b"late"))
    assert publishing.session.state == "ended"
    assert publishing.session.end_reason == "the publisher ended its stream"
    assert publishing.sink.got == []


def test_an_end_before_the_beginning_ends_nothing(connected: Peer) -> None:
    connected.send(call("deleteStream", 0, None, 1) + call("closeStream", 0, None) + publish("me"))
    assert connected.session.state == "deciding"


@pytest.mark.parametrize("kind", [8, 9, 18, 22])
def test_nothing_is_taken_before_publish(connected: Peer, kind: int) -> None:
    with pytest.raises(RtmpError, match="before anything is published"):
        connected.send(chunks(kind, part(9, 0, b"a")))


def test_large_messages_only_after_publish(connected: Peer) -> None:
    header = b"\6\0\0\0" + MEDIA_BYTES.to_bytes(3) + b"\x09" + bytes(4)
    connected.send(publish("me"))
    connected.session.accept(connected.sink)
    connected.send(header)
    other = Peer()
    with pytest.raises(RtmpError, match="65536 are allowed"):
        other.send(HELLO + bytes(1536) + connect() + header)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (call("createStream", 4, None), "before connect"),
        (publish("me"), "before connect"),
        (call("connect", 1, {}), "connect comes once, and names its app"),
        (call("connect", 1), "connect comes once"),
        (call("connect", 1, {"app": 7}), "connect comes once"),
        (call("connect", 1, {"app": "x" * (NAME_LENGTH + 1)}), "connect comes once"),
        (connect() + connect(), "connect comes once"),
        (connect() + call("publish", 5, None), "lacks text"),
        (connect() + publish(""), "name the stream"),
        (connect() + publish("?token=t"), "name the stream"),
        (connect() + publish("x" * (NAME_LENGTH + 1)), "name the stream"),
        (connect() + call("play", 5, None, "me"), "only for publishing"),
        (connect() + call("_checkbw", 5, None) * COMMANDS_BEFORE_PUBLISH, "more than 32 commands"),
        (connect() + chunks(20, b"\x03\0\1a" * 50), "nested"),
        (connect() + chunks(4, bytes(60_000)) * (BYTES_BEFORE_PUBLISH // 60_000 + 1), "more than 262144 bytes before"),
    ],
)
def test_what_breaks_the_rules_is_refused(peer: Peer, data: bytes, words: str) -> None:
    with pytest.raises(RtmpError, match=words):
        peer.send(HELLO + bytes(1536) + data)


def test_a_message_that_never_ends_counts_before_publish() -> None:
    peer = Peer()
    peer.send(HELLO + bytes(1536) + connect())
    header = b"\0\0\0" + (65_536).to_bytes(3) + b"\x04" + bytes(4)
    with pytest.raises(RtmpError, match="bytes before"):
        peer.send(
            b"".join(
                bytes((3 + index,)) + header + (bytes(128) + bytes((0xC3 + index,))) * 500 + bytes(128) for index in range(6)
            )
        )


def test_much_at_once_is_done_in_shares(publishing: Peer) -> None:
    publishing.session.receive(chunks(9, b"a") * (2 * WORK + 1))
    counts = []
    while publishing.session.work():
        counts.append(len(publishing.sink.got))
    assert counts == [WORK, 2 * WORK]
    assert len(publishing.sink.got) == 2 * WORK + 1
    publishing.session.receive(call("_checkbw", 0, None) * WORK)
    shares = 1
    while publishing.session.work():
        shares += 1
    assert shares > WORK // 8


def test_types_that_nobody_needs_are_passed_over(publishing: Peer) -> None:
    for kind in (3, 6, 16, 19, 99):
        publishing.send(chunks(kind, b"\0\0\0\1\2"))
    publishing.send(chunks(4, b"") + chunks(4, b"\0\3\0\0\0\1\0\0\x0b\xb8") + chunks(5, b"") + chunks(9, b"a"))
    assert publishing.sink.got == [("video", b"a", 0)]
