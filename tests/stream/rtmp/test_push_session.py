from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.rtmp import amf0
from stream.rtmp.chunk_reader import ChunkReader
from stream.rtmp.command import PublishRequest
from stream.rtmp.errors import Refused, RtmpError
from stream.rtmp.handshake import SIZE, ClientHandshake
from stream.rtmp.limits import PUSHED_CHUNK_SIZE, WORK
from stream.rtmp.message import ACKNOWLEDGEMENT, COMMAND, USER_CONTROL, VIDEO, WINDOW_SIZE, Message
from stream.rtmp.push_session import PushSession
from stream.rtmp.session import Session
from stream.rtmp.target import Target
from tests.stream.rtmp.publisher import call, chunks

KEY = "s3cr3t-key?token=t0ken"
TARGET = Target.parse(f"rtmp://127.0.0.1/live/{KEY}")

HELLO = b"\3" + bytes(2 * SIZE)
"""S0 to S2."""

CONNECTED = call("_result", 1, {"fmsVer": "x"}, {"code": "NetConnection.Connect.Success"})
CREATED = call("_result", 4, None, 7)
STARTED = call("onStatus", 0, None, {"level": "status", "code": "NetStream.Publish.Start"}, on=5, stream=7)


class Client:
    """A session, and what it writes."""

    def __init__(self) -> None:
        self.written = b""
        self.session = PushSession(TARGET, self._write, ClientHandshake(bytes(SIZE - 8)))
        self.session.begin()

    def _write(self, data: bytes) -> None:
        self.written += data

    def hear(self, data: bytes) -> None:
        """Raises RtmpError."""
        self.session.receive(data)
        while self.session.work():
            pass

    def state(self) -> str:
        return self.session.state

    def messages(self) -> list[Message]:
        """All after the handshake, which is a byte and two times SIZE."""
        reader = ChunkReader()
        reader.max_media = 1 << 20
        reader.feed(self.written[1 + 2 * SIZE :])
        messages = []
        while (message := reader.read()) is not None:
            messages.append(message)
        return messages

    def calls(self) -> list[list[Any]]:
        return [amf0.decode(message.payload) for message in self.messages() if message.kind == COMMAND]


def publishing() -> Client:
    client = Client()
    client.hear(HELLO + CONNECTED + CREATED + STARTED)
    assert client.state() == "publishing"
    return client


def test_what_it_says_and_when() -> None:
    client = Client()
    assert client.written[:1] == b"\3"
    assert len(client.written) == 1 + SIZE
    steps = []
    for heard in (HELLO, CONNECTED, CREATED, STARTED):
        client.hear(heard)
        steps.append((client.state(), [called[0] for called in client.calls()]))
    setup = ["connect", "releaseStream", "FCPublish", "createStream", "publish"]
    assert steps == [("connecting", setup[:1]), ("creating", setup[:4]), ("starting", setup), ("publishing", setup)]
    connect, release, _, create, publish = client.calls()
    assert connect[1:] == [
        1,
        {
            "app": "live",
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; doppel)",
            "swfUrl": "rtmp://127.0.0.1/live",
            "tcUrl": "rtmp://127.0.0.1/live",
        },
    ]
    assert release[1:] == [2, None, KEY]
    assert create[1:] == [4, None]
    assert publish[1:] == [5, None, KEY, "live"]
    assert client.messages()[-1].stream == 7


def test_media_go_out_in_chunks_of_the_size_that_was_said() -> None:
    client = publishing()
    client.session.send(VIDEO, 0xFFFFFF5, bytes(3 * PUSHED_CHUNK_SIZE))
    client.session.send(VIDEO, 5, b"x")
    first, second = client.messages()[-2:]
    assert (first.kind, first.timestamp, first.stream, len(first.payload)) == (VIDEO, 0xFFFFFF5, 7, 3 * PUSHED_CHUNK_SIZE)
    assert second == Message(VIDEO, 5, 7, bytearray(b"x"))


def test_it_takes_leave() -> None:
    client = publishing()
    client.session.finish()
    assert client.calls()[-2:] == [["FCUnpublish", 0, None, KEY], ["deleteStream", 0, None, 7]]
    assert client.state() == "ended"


@pytest.mark.parametrize("size", [1, 7, 1537, 1 << 16])
def test_it_agrees_with_our_own_server(size: int) -> None:
    class Link:
        def __init__(self) -> None:
            self.request: PublishRequest | None = None
            self.answers = b""

        def write(self, data: bytes) -> None:
            self.answers += data

        def decide(self, request: PublishRequest) -> None:
            self.request = request

    class Sink:
        def __init__(self) -> None:
            self.got: list[tuple[bytes, int]] = []

        def video(self, payload: bytearray, time: int) -> None:
            self.got.append((bytes(payload), time))

        def audio(self, payload: bytearray, time: int) -> None: ...

        def metadata(self, properties: dict[str, amf0.Value]) -> None: ...

        def closed(self, reason: str) -> None: ...

    client, link, sink = Client(), Link(), Sink()
    server = Session(link)

    def talk() -> None:
        while client.written or link.answers:
            said, client.written = client.written, b""
            for begin in range(0, len(said), size):
                server.receive(said[begin : begin + size])
                while server.work():
                    pass
            heard, link.answers = link.answers, b""
            for begin in range(0, len(heard), size):
                client.hear(heard[begin : begin + size])

    talk()
    assert link.request is not None
    assert (link.request.app, link.request.name, link.request.query) == ("live", "s3cr3t-key", "token=t0ken")
    assert client.state() == "starting"
    server.accept(sink)
    talk()
    assert client.state() == "publishing"
    client.session.send(VIDEO, 40, bytes(range(256)) * 100)
    talk()
    assert sink.got == [(bytes(range(256)) * 100, 40)]
    client.session.finish()
    talk()
    assert server.end_reason == "the publisher ended its stream"


# ---- no


def error(transaction: int, description: str, code: str = "NetStream.Publish.BadName") -> bytes:
    return call("_error", transaction, None, {"level": "error", "code": code, "description": description})


def status(description: object, level: str = "error") -> bytes:
    return call("onStatus", 0, None, {"level": level, "code": "NetStream.Publish.BadName", "description": description}, stream=7)


@pytest.mark.parametrize(
    "heard",
    [
        HELLO + error(1, "no room"),
        HELLO + CONNECTED + error(4, "no room"),
        HELLO + CONNECTED + CREATED + error(5, "no room"),
        HELLO + CONNECTED + CREATED + status("no room"),
    ],
)
def test_a_server_that_says_no_is_quoted(heard: bytes) -> None:
    with pytest.raises(Refused, match=r"^the server refused the stream: NetStream.Publish.BadName: no room$"):
        Client().hear(heard)


def test_a_server_that_ends_it_later_is_quoted() -> None:
    with pytest.raises(Refused, match=r"the server ended the stream: .*: another took over"):
        publishing().hear(status("another took over"))


def test_a_server_that_quotes_the_key_is_told_on_without_it() -> None:
    for said in (f"live/{KEY} exists", "S3CR3T-KEY exists", "t0ken is too old"):
        with pytest.raises(Refused) as caught:
            Client().hear(HELLO + CONNECTED + CREATED + status(said))
        assert "(key)" in str(caught.value)
        for secret in ("s3cr3t", "t0ken"):
            assert secret not in str(caught.value).lower()


@pytest.mark.parametrize("description", [None, 5, {"a": "b"}, ""])
def test_a_server_that_has_no_words(description: object) -> None:
    with pytest.raises(Refused, match=r"NetStream\.Publish\.BadName$"):
        Client().hear(HELLO + CONNECTED + CREATED + status(description))
    with pytest.raises(Refused, match="did not say why"):
        Client().hear(HELLO + call("_error", 1))


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (b"HTTP/1.1 400 Bad Request", "not an RTMP server: it begins with the byte 0x48"),
        (HELLO + CONNECTED + call("_result", 4, None), "without a number"),
        (HELLO + CONNECTED + call("_result", 4, None, 0), "without a number"),
        (HELLO + CONNECTED + call("_result", 4, None, 1e300), "without a number"),
        (HELLO + CONNECTED + call("_result", 4, None, float("nan")), "without a number"),
        (HELLO + call(5), "a command that is none"),
        (HELLO + call(KEY, "no number"), "a command that is none"),
        (HELLO + call("close", 0), "ended the connection"),
        (HELLO + chunks(9, bytes(70_000)), "70000 bytes"),
        (HELLO + chunks(1, bytes(4), on=2), "chunk size of 0"),
    ],
)
def test_a_server_that_breaks_the_protocol(heard: bytes, words: str) -> None:
    with pytest.raises(RtmpError, match=words) as caught:
        Client().hear(heard)
    assert "s3cr3t" not in str(caught.value)


def test_a_server_that_ends_the_stream() -> None:
    with pytest.raises(RtmpError, match="the server ended the stream"):
        publishing().hear(call("onStatus", 0, None, {"level": "status", "code": "NetStream.Unpublish.Success"}))


# ---- what else servers send


@pytest.mark.parametrize(
    "heard",
    [
        error(2, "no such method"),
        error(3, "no such method"),
        call("onBWDone", 0, None),
        call("_result", 9, None),
        call("onFCPublish", 0, None, {"code": "NetStream.Publish.Start"}),
        call("_result", 2, None),
        STARTED,
        chunks(9, b"picture", stream=7),
        call("onStatus", 0),
        chunks(17, b"\0" + amf0.encode("onBWDone", 0)),
        chunks(6, b"", on=2),
        chunks(5, b"\1", on=2),
        chunks(4, b"\0\6\0", on=2),
        chunks(3, bytes(4), on=2),
        chunks(99, b"what", on=2),
    ],
)
def test_what_does_not_matter_changes_nothing(heard: bytes) -> None:
    client = Client()
    client.hear(HELLO + CONNECTED)
    before = client.written
    client.hear(heard)
    assert client.state() == "creating"
    assert client.written == before
    client.hear(CREATED + STARTED)
    assert client.state() == "publishing"


def test_a_ping_is_answered() -> None:
    client = publishing()
    client.hear(chunks(4, b"\0\6\1\2\3\4", on=2))
    assert client.messages()[-1] == Message(USER_CONTROL, 0, 0, bytearray(b"\0\7\1\2\3\4"))


def test_what_came_is_acknowledged_as_often_as_the_server_asks() -> None:
    client = publishing()
    client.hear(chunks(5, (10_000).to_bytes(4), on=2))
    for _ in range(3):
        client.hear(chunks(9, bytes(9_000)))
    acknowledged = [int.from_bytes(m.payload) for m in client.messages() if m.kind == ACKNOWLEDGEMENT]
    assert len(acknowledged) == 2
    assert acknowledged == sorted(acknowledged)


def test_a_bandwidth_is_answered_once() -> None:
    client = publishing()
    for _ in range(3):
        client.hear(chunks(6, (5_000_000).to_bytes(4) + b"\2", on=2))
    assert [m.payload for m in client.messages() if m.kind == WINDOW_SIZE] == [(5_000_000).to_bytes(4)]


def test_much_is_worked_off_in_shares() -> None:
    client = publishing()
    client.session.receive(call("onBWDone", 0, None) * 8)
    shares = 1
    while client.session.work():
        shares += 1
    assert shares == 8 + 1
    client.session.receive(chunks(99, b"") * 3 * WORK)
    assert [client.session.work() for _ in range(4)] == [True, True, True, False]


# ---- anything


def ends(client: Client, heard: list[bytes]) -> str:
    """What it says of what it hears; nothing where that is all right."""
    try:
        for data in heard:
            client.hear(data)
    except RtmpError as error:
        return str(error)
    return ""


@given(st.binary(max_size=3000), st.sampled_from((b"", HELLO, HELLO + CONNECTED, HELLO + CONNECTED + CREATED + STARTED)))
@settings(max_examples=200, deadline=None)
def test_any_bytes_end_in_words(noise: bytes, before: bytes) -> None:
    client = Client()
    said = ends(client, [before + noise])
    assert "s3cr3t" not in said
    assert len(client.written) < 10_000


edits = st.lists(st.tuples(st.integers(0, 600), st.integers(1, 255)), min_size=1, max_size=4)


@given(edits, st.integers(1, 400))
@settings(max_examples=300, deadline=None)
def test_broken_answers_end_in_words(changes: list[tuple[int, int]], size: int) -> None:
    answers = bytearray(
        chunks(5, (2_500_000).to_bytes(4), on=2) + CONNECTED + error(2, f"{KEY} is new") + CREATED + STARTED + status(f"no {KEY}")
    )
    for where, mask in changes:
        answers[where % len(answers)] ^= mask
    client = Client()
    said = ends(client, [HELLO, *(bytes(answers[begin : begin + size]) for begin in range(0, len(answers), size))])
    assert len(said) < 400
    assert len(client.written) < 10_000


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(("_result", "_error", "onStatus", "close", "onBWDone", "connect", ""))


@given(st.lists(st.tuples(names, st.integers(-1, 6) | st.floats(), st.lists(values, max_size=4)), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_commands_end_in_words(commands: list[tuple[str, float, list[Any]]]) -> None:
    client = Client()
    said = ends(client, [HELLO, *(call(name, transaction, *arguments) for name, transaction, arguments in commands)])
    assert len(said) < 400
    assert len(client.written) < 20_000
