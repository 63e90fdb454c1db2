from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signaling.errors import (
    BadRequest,
    Conflict,
    NotFound,
    NotLive,
    PreconditionFailed,
    PreconditionRequired,
    SignalingError,
    Unacceptable,
    Unavailable,
)
from signaling.sessions import MAX_CANDIDATES, Session, Sessions
from stream.connection import Connection
from stream.errors import NoRoom, UnknownStream
from stream.rtc.transport import TransportError
from tests.keys import NOBODY, publisher
from tests.signaling.fakes import FakeConnection, FakeStream, FakeStreams
from tests.signaling.offers import CHROMIUM, OBS, directed
from transforms.errors import ModelUnavailable, TransformError

ANNA = publisher("anna")

PUBLISHED = directed(CHROMIUM, "sendonly")
WATCHED = directed(CHROMIUM, "recvonly")


@pytest.fixture
def streams() -> FakeStreams:
    return FakeStreams()


@pytest.fixture
def sessions(streams: FakeStreams) -> Sessions:
    return Sessions(streams, ("H264", "VP8"), 1_500_000, ["<stun:stun.example.net>"])


def peer(streams: FakeStreams, name: str = "alice", at: int = -1) -> FakeConnection:
    return streams.streams[name].peers[at][1]


# ---- who comes


async def test_a_loop(sessions: Sessions, streams: FakeStreams) -> None:
    session = await sessions.loop("alice", CHROMIUM, [], NOBODY)
    stream = streams.streams["alice"]
    assert (session.stream, stream.private, stream.chains, [kind for kind, _ in stream.peers]) == ("alice", True, [[]], ["loop"])
    assert "a=sendrecv" in session.answer
    assert session.id in sessions


async def test_a_publisher(sessions: Sessions, streams: FakeStreams) -> None:
    session = await sessions.publish("alice", PUBLISHED, [], ANNA)
    stream = streams.streams["alice"]
    assert (stream.private, stream.credential, stream.chains) == (False, "anna", [[]])
    assert session.answer.count("a=recvonly") == 2
    media = peer(streams).media
    assert media.video is not None
    assert (media.video.receive, media.video.send) == (True, False)


async def test_the_same_publisher_again_takes_over_and_its_chain_stays(sessions: Sessions, streams: FakeStreams) -> None:
    await sessions.publish("alice", PUBLISHED, [], ANNA)
    await sessions.publish("alice", OBS, None, ANNA)
    stream = streams.streams["alice"]
    assert stream.chains == [[]]
    assert len(stream.peers) == 2


async def test_another_publisher_is_refused(sessions: Sessions, streams: FakeStreams) -> None:
    await sessions.publish("alice", PUBLISHED, None, ANNA)
    for credential in (None, "other"):
        with pytest.raises(Conflict, match="publisher already"):
            await sessions.publish("alice", PUBLISHED, None, publisher(credential))
    with pytest.raises(Conflict):
        await sessions.loop("alice", CHROMIUM, [], ANNA)
    assert streams.abandoned == []


async def test_a_viewer(sessions: Sessions, streams: FakeStreams) -> None:
    await sessions.publish("alice", PUBLISHED, None, NOBODY)
    session = await sessions.watch("alice", WATCHED, NOBODY)
    assert session.answer.count("a=sendonly") == 2
    # One MediaStream, so that a player keeps lips and voice together (RFC 8830).
    assert {line.split()[0] for line in session.answer.splitlines() if line.startswith("a=msid:")} == {"a=msid:doppel"}
    assert [kind for kind, _ in streams.streams["alice"].peers] == ["publish", "watch"]


async def test_a_viewer_of_what_is_not_live(sessions: Sessions, streams: FakeStreams) -> None:
    with pytest.raises(NotLive) as refusal:
        await sessions.watch("alice", WATCHED, NOBODY)
    assert (refusal.value.status, refusal.value.retry_after) == (409, 2)
    streams.streams["alice"] = FakeStream("alice", live=False)
    with pytest.raises(NotLive) as refusal:
        await sessions.watch("alice", WATCHED, NOBODY)
    assert refusal.value.retry_after == 3
    assert sessions._sessions == {}


async def test_ids_and_tags_are_each_their_own(sessions: Sessions) -> None:
    made = [await sessions.publish(f"s{number}", PUBLISHED, None, NOBODY) for number in range(8)]
    assert len({session.id for session in made}) == len({session.etag for session in made}) == 8
    assert all(len(session.id) >= 32 for session in made)
    assert all(session.etag[0] == session.etag[-1] == '"' for session in made)


# ---- who does not


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TransportError("no address can be bound"), Unavailable, "no address"),
        (ModelUnavailable("no source had the detector"), Unavailable, "detector"),
        (TransformError("no such setting"), Unacceptable, "setting"),
        (UnknownStream("stream 'alice' is ending"), Unavailable, "ending"),
    ],
)
async def test_what_cannot_be_set_up_leaves_nothing(
    sessions: Sessions, streams: FakeStreams, error: Exception, kind: type[SignalingError], words: str
) -> None:
    connecting = isinstance(error, TransportError)

    def make(name: str, credential: str | None, private: bool) -> FakeStream:
        chain_error, error_ = (None, error) if connecting else (error, None)
        return FakeStream(name, credential, private, chain_error=chain_error, error=error_)

    streams.make = make
    for attempt in (sessions.loop("alice", CHROMIUM, [], NOBODY), sessions.publish("alice", PUBLISHED, [], NOBODY)):
        with pytest.raises(kind, match=words):
            await attempt
        assert (streams.streams, sessions._sessions) == ({}, {})
    assert streams.abandoned == ["alice"] * 2


async def test_who_hangs_up_meanwhile_leaves_nothing(sessions: Sessions, streams: FakeStreams) -> None:
    streams.make = lambda name, credential, private: FakeStream(name, credential, private, gate=asyncio.Event())
    task = asyncio.create_task(sessions.publish("alice", PUBLISHED, [], NOBODY))
    await asyncio.sleep(0)
    assert "alice" in streams.streams
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (streams.streams, sessions._sessions) == ({}, {})


async def test_a_peer_that_ends_while_it_is_set_up(sessions: Sessions, streams: FakeStreams) -> None:
    class Hasty(FakeStream):
        async def publish(self, *given: Any) -> Connection:
            connection = await super().publish(*given)
            self.peers[-1][1].leave("gone")
            return connection

    streams.make = Hasty
    with pytest.raises(Unavailable, match="try again"):
        await sessions.publish("alice", PUBLISHED, None, NOBODY)
    assert sessions._sessions == {}


async def test_full(sessions: Sessions, streams: FakeStreams) -> None:
    streams.error = NoRoom("this server is full")
    for attempt in (sessions.loop("alice", CHROMIUM, [], NOBODY), sessions.publish("alice", PUBLISHED, None, NOBODY)):
        with pytest.raises(Unavailable, match="full"):
            await attempt
    streams.streams["bob"] = FakeStream("bob", error=NoRoom("as many viewers as it may"))
    with pytest.raises(Unavailable, match="viewers"):
        await sessions.watch("bob", WATCHED, NOBODY)


async def test_offers_and_names_are_judged_before_anything_is_opened(sessions: Sessions, streams: FakeStreams) -> None:
    for name, sdp, kind in (("a b", PUBLISHED, BadRequest), ("alice", "hello", BadRequest), ("alice", WATCHED, Unacceptable)):
        with pytest.raises(kind):
            await sessions.publish(name, sdp, None, NOBODY)
    with pytest.raises(Unacceptable):
        await sessions.watch("alice", PUBLISHED, NOBODY)
    assert streams.streams == {}


# ---- the end


async def test_ending_a_session(sessions: Sessions, streams: FakeStreams) -> None:
    session = await sessions.publish("alice", PUBLISHED, None, NOBODY)
    await sessions.end(session.id)
    assert peer(streams).reasons == ["its client ended it"]
    assert session.id not in sessions
    await sessions.end(session.id)
    await sessions.end("never was")
    assert peer(streams).reasons == ["its client ended it"]


async def test_a_peer_that_goes_is_forgotten(sessions: Sessions, streams: FakeStreams) -> None:
    session = await sessions.publish("alice", PUBLISHED, None, NOBODY)
    peer(streams).leave("nothing was heard from it")
    assert session.id not in sessions
    with pytest.raises(NotFound):
        await sessions.trickle(session.id, fragment(), session.etag)


# ---- trickle


def fragment(count: int = 1, ufrag: str = "9uB6", password: str = "bbgWfLT5MMuWhZ4ZJ2RaU9GA") -> str:
    """Of Chromium's offer's ICE session."""
    candidates = "".join(f"a=candidate:{n} 1 udp 1 192.0.2.1 {1000 + n} typ host\r\n" for n in range(count))
    return f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n{candidates}"


@pytest.fixture
async def published(sessions: Sessions) -> Session:
    return await sessions.publish("alice", PUBLISHED, None, NOBODY)


@pytest.mark.parametrize("form", ["{0}", '"another", {0}', ' {0} , W/"x"'])
async def test_candidates_are_added(sessions: Sessions, streams: FakeStreams, published: Session, form: str) -> None:
    await sessions.trickle(published.id, fragment(2), form.format(published.etag))
    assert [candidate.port for candidate in peer(streams).candidates] == [1000, 1001]


@pytest.mark.parametrize("if_match", ["", "*", '"*"', '"another"', "W/{0}", "junk", 'x"'])
async def test_a_stale_tag(sessions: Sessions, streams: FakeStreams, published: Session, if_match: str) -> None:
    with pytest.raises(PreconditionFailed, match="ETag") as refusal:
        await sessions.trickle(published.id, fragment(), if_match.format(published.etag))
    assert refusal.value.status == 412
    assert peer(streams).candidates == []


async def test_no_tag(sessions: Sessions, published: Session) -> None:
    with pytest.raises(PreconditionRequired, match="If-Match") as refusal:
        await sessions.trickle(published.id, fragment(), None)
    assert refusal.value.status == 428


@pytest.mark.parametrize("if_match", ["*", '"*"', "{0}"])
@pytest.mark.parametrize("other", [{"ufrag": "ysXw"}, {"password": "vw5LmwG4y/e6dPP/zAP9Gp5k"}])
async def test_a_restart_is_refused_and_the_session_goes_on(
    sessions: Sessions, streams: FakeStreams, published: Session, if_match: str, other: dict[str, str]
) -> None:
    with pytest.raises(Unacceptable, match="restart"):
        await sessions.trickle(published.id, fragment(**other), if_match.format(published.etag))  # type: ignore[arg-type]
    assert peer(streams).candidates == []
    assert peer(streams).reasons == []
    await sessions.trickle(published.id, fragment(), published.etag)
    assert len(peer(streams).candidates) == 1


async def test_a_stale_restart(sessions: Sessions, published: Session) -> None:
    with pytest.raises(PreconditionFailed):
        await sessions.trickle(published.id, fragment(ufrag="ysXw"), '"another"')


async def test_a_broken_fragment(sessions: Sessions, published: Session) -> None:
    with pytest.raises(BadRequest):
        await sessions.trickle(published.id, "hello", published.etag)


async def test_candidates_are_bounded_over_all(sessions: Sessions, streams: FakeStreams, published: Session) -> None:
    # The offer has brought one.
    await sessions.trickle(published.id, fragment(MAX_CANDIDATES - 2), published.etag)
    await sessions.trickle(published.id, fragment(1), published.etag)
    with pytest.raises(Unacceptable, match="64"):
        await sessions.trickle(published.id, fragment(1), published.etag)
    assert len(peer(streams).candidates) == MAX_CANDIDATES - 1
    assert published.id in sessions
