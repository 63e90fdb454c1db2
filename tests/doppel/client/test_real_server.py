"""The client with the server that it is made for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame, VideoFrame

from doppel.client import Refused, loop, publish, watch
from tests.doppel.client.test_session import some
from tests.e2e.server import Server
from tests.loopback import Stripes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("client") / "log", ["--rtmp-port", "0"])
    yield running
    assert running.stop() == 0


async def test_a_viewer_waits_for_the_publisher_and_sees_and_hears_it(server: Server) -> None:
    waiting = asyncio.Event()

    async def see_and_hear() -> tuple[list[VideoFrame], list[AudioFrame]]:
        async with watch(server.url, "stage", on_state=lambda state, _: waiting.set() if state == "waiting" else None) as viewer:
            return await asyncio.gather(some(viewer.video()), some(viewer.sound()))

    seeing = asyncio.create_task(see_and_hear())
    await waiting.wait()
    async with publish(server.url, "stage", video=Stripes(), audio=AudioStreamTrack(), chain=[]):
        pictures, sounds = await seeing
    assert {(picture.width, picture.height) for picture in pictures} == {(320, 240)}
    assert {sound.sample_rate for sound in sounds} == {48_000}


async def test_a_loop_comes_back_and_leaves_nothing(server: Server) -> None:
    async with loop(server.url, "mirror", video=Stripes()) as session:
        pictures = await some(session.video())
        assert (await session.stats()).packets.sent > 0
    assert {(picture.width, picture.height) for picture in pictures} == {(320, 240)}
    async with loop(server.url, "mirror", video=Stripes()) as session:
        await some(session.video())


async def test_the_servers_own_words_arrive(server: Server) -> None:
    with pytest.raises(Refused, match=r"no transform") as caught:
        async with publish(server.url, "stage-2", video=Stripes(), chain=["nothing-like-it"]):
            pass
    assert caught.value.status == 422
