from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest

from doppel.client import ClientError, GaveUp, Refused, Step, loop, publish, watch
from tests.doppel.client.server import StandIn
from tests.loopback import TIMEOUT, Stripes

T = TypeVar("T")


async def some(frames: AsyncIterator[T], count: int = 3) -> list[T]:
    """The next so many."""
    found: list[T] = []
    async with asyncio.timeout(TIMEOUT):
        async for frame in frames:
            found.append(frame)
            if len(found) == count:
                break
    return found


async def test_watch_receives_pictures_and_sound_and_says_goodbye(stand_in: StandIn, address: str) -> None:
    states: list[str] = []
    async with watch(address, "studio", key="secret", on_state=lambda state, reason: states.append(state)) as viewer:
        pictures, sounds = await asyncio.gather(some(viewer.video()), some(viewer.sound()))
        found = await viewer.stats()
    assert {(picture.width, picture.height) for picture in pictures} == {(320, 240)}
    assert {sound.sample_rate for sound in sounds} == {48_000}
    assert found.state == "live"
    assert found.connections == 1
    assert found.pictures >= 3
    assert found.packets.received >= 6
    assert states == ["connecting", "live", "closed"]
    assert stand_in.deleted == ["1"]
    assert stand_in.offers[0].path == "/whep/studio"
    assert stand_in.offers[0].headers["Authorization"] == "Bearer secret"
    assert stand_in.offered[0].count("a=recvonly") == 2
    assert len([frame async for frame in viewer.video()]) <= 2, "what waited is still read, and then it ends"


async def test_publish_sends_a_track_and_its_chain(stand_in: StandIn, address: str) -> None:
    track = Stripes()
    chain: list[Step] = ["anonymize", {"transform": "background", "settings": {"strength": 0.5}}]
    async with publish(address, "me", video=track, chain=chain) as publisher, asyncio.timeout(TIMEOUT):
        while stand_in.pictures < 3:
            stand_in.more.clear()
            await stand_in.more.wait()
        assert (await publisher.stats()).packets.sent > 0
    assert stand_in.offers[0].path == "/whip/me"
    sent = json.loads(stand_in.offers[0].query["chain"])
    assert sent == [{"transform": "anonymize"}, {"transform": "background", "settings": {"strength": 0.5}}]
    assert "a=sendonly" in stand_in.offered[0]
    assert "Authorization" not in stand_in.offers[0].headers
    assert track.readyState == "live", "the track is the caller's"


async def test_publish_without_a_chain_leaves_it_to_the_stream(stand_in: StandIn, address: str) -> None:
    async with publish(address, "me", video=Stripes()):
        pass
    assert "chain" not in stand_in.offers[0].query


async def test_loop_gets_back_what_it_sent(stand_in: StandIn, address: str) -> None:
    async with loop(address, "me", video=Stripes()) as session:
        pictures = await some(session.video())
    assert {(picture.width, picture.height) for picture in pictures} == {(320, 240)}
    assert stand_in.offers[0].query["chain"] == "[]"


async def test_a_stream_that_is_not_live_is_waited_for(stand_in: StandIn, address: str) -> None:
    stand_in.refusals.extend([(409, {"Retry-After": "0"}, "Not live."), (503, {}, "Busy.")])
    states: list[tuple[str, str]] = []
    async with watch(address, "studio", on_state=lambda state, reason: states.append((state, reason))):
        pass
    assert states == [
        ("connecting", ""),
        ("waiting", "Not live."),
        ("connecting", ""),
        ("waiting", "Busy."),
        ("connecting", ""),
        ("live", ""),
        ("closed", "closed by the caller"),
    ]


async def test_a_no_is_told_in_the_servers_words(stand_in: StandIn, address: str) -> None:
    stand_in.refusals.append((401, {}, "This server asks for an access key."))
    with pytest.raises(Refused, match="asks for an access key") as caught:
        async with watch(address, "studio"):
            pass
    assert caught.value.status == 401
    assert len(stand_in.offers) == 1


async def test_patience_ends(stand_in: StandIn, address: str) -> None:
    stand_in.refusals.extend([(409, {"Retry-After": "1"}, "Not live.")] * 100)
    with pytest.raises(GaveUp, match=r"for 0.1 s: Not live\."):
        async with watch(address, "studio", patience=0.1):
            pass
    assert 1 < len(stand_in.offers) < 100


async def test_nobody_there(address: str, unused_tcp_port: int) -> None:
    with pytest.raises(GaveUp, match="cannot be reached"):
        async with watch(f"http://127.0.0.1:{unused_tcp_port}", "studio", patience=0.1):
            pass


async def test_comes_back_when_the_server_ends_the_session(stand_in: StandIn, address: str) -> None:
    track = Stripes()
    async with loop(address, "me", video=track) as session:
        await some(session.video())
        await stand_in.peers["1"].close()
        async with asyncio.timeout(TIMEOUT):
            while (await session.stats()).connections < 2:
                await some(session.video(), 1)
        await some(session.video())
    assert [offer.path for offer in stand_in.offers] == ["/loop/me", "/loop/me"]
    assert track.readyState == "live"


async def test_comes_back_when_the_server_no_longer_knows_the_session(stand_in: StandIn, address: str) -> None:
    reasons: list[str] = []
    live = asyncio.Semaphore(0)

    def on_state(state: str, reason: str) -> None:
        if state == "waiting":
            reasons.append(reason)
        if state == "live":
            live.release()

    async with watch(address, "studio", on_state=on_state):
        stand_in.forgotten.add("1")
        async with asyncio.timeout(TIMEOUT):
            await live.acquire()
            await live.acquire()
    assert reasons == ["the server no longer knows the session"]
    assert stand_in.deleted == ["1", "2"]


async def test_a_refusal_later_reaches_whoever_reads(stand_in: StandIn, address: str) -> None:
    async with watch(address, "studio") as viewer:
        stand_in.refusals.append((403, {}, "No longer yours."))
        stand_in.forgotten.add("1")
        with pytest.raises(Refused, match="No longer yours"):
            await some(viewer.video(), 1 << 30)
        with pytest.raises(Refused, match="No longer yours"):
            await viewer.closed()
        assert viewer.state == "failed"


async def test_a_session_elsewhere_is_not_given_the_key(stand_in: StandIn, address: str) -> None:
    stand_in.location = "http://198.51.100.1/sessions/1"
    with pytest.raises(ClientError, match="another server"):
        async with watch(address, "studio", key="secret"):
            pass


def test_what_cannot_be_connected_is_told_at_once() -> None:
    with pytest.raises(ClientError, match="no address"):
        watch("127.0.0.1:8080", "studio")
    with pytest.raises(ClientError, match="nothing to publish"):
        publish("http://127.0.0.1:8080", "studio")
