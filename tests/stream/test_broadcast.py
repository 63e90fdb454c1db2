"""Publishers that come, go and come back, and viewers that stay: over ICE, DTLS and SRTP on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from signaling.errors import Conflict, NotLive, Unavailable
from tests.stream.client import PATIENCE, Client
from tests.stream.conftest import House

Open = Callable[..., Awaitable[House]]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def live(house: House, name: str = "one") -> None:
    await until(lambda: house.streams.report(name).state == "live")


async def published(house: House, codec: str = "H264", *, sound: bool = False) -> Client:
    publisher = house.client(codec, role="publish", sound=sound)
    await publisher.connect(house.sessions, "one", None)
    await live(house)
    return publisher


async def test_several_watch_one_encode(open_house: Open) -> None:
    house = await open_house()
    await published(house)
    viewers = [house.client(role="watch") for _ in range(3)]
    for viewer in viewers:
        await viewer.connect(house.sessions, "one")
    for viewer in viewers:
        await viewer.more(5)
    report = house.streams.report("one")
    assert (report.state, report.viewers) == ("live", 3)
    assert [(r.name, r.codec, r.receivers) for r in report.renditions] == [("main", "H264", 3)]
    assert {(v.protocol, v.codec, v.rendition) for v in report.audience} == {("whep", "H264", "main")}
    assert report.publisher is not None
    assert report.publisher.protocol == "whip"
    lumas = [viewer.luma for viewer in viewers]
    assert all(min(abs(luma - sent) for sent in range(32, 217, 8)) <= 4 for luma in lumas)


async def test_each_codec_has_an_encode_of_its_own_while_somebody_watches_it(open_house: Open) -> None:
    house = await open_house()
    await published(house)
    h264, vp8 = house.client(role="watch"), house.client("VP8", role="watch")
    await h264.connect(house.sessions, "one")
    await vp8.connect(house.sessions, "one")
    await h264.more(3)
    await vp8.more(3)
    assert [r.codec for r in house.streams.report("one").renditions] == ["H264", "VP8"]
    await vp8.close()
    await until(lambda: len(house.streams.report("one").renditions) == 1)
    await h264.more(3)


async def test_sound_and_pictures_reach_a_viewer(open_house: Open) -> None:
    house = await open_house()
    await published(house, sound=True)
    viewer = house.client(role="watch", sound=True)
    await viewer.connect(house.sessions, "one")
    await viewer.more(3)
    await viewer.until(lambda: viewer.loud)
    report = house.streams.report("one")
    assert report.sound is not None
    assert (report.sound.codec, report.sound.transcoded) == ("OPUS", False)


async def test_sound_alone(open_house: Open) -> None:
    house = await open_house()
    publisher = house.client(role="publish", sound=True, pictures=False)
    await publisher.connect(house.sessions, "one", None)
    await live(house)
    viewer = house.client(role="watch", sound=True, pictures=False)
    await viewer.connect(house.sessions, "one")
    await viewer.until(lambda: viewer.loud)
    assert house.streams.report("one").viewers == 1


async def test_nobody_can_watch_what_is_not_there(open_house: Open) -> None:
    house = await open_house()
    with pytest.raises(NotLive) as refused:
        await house.client(role="watch").offer(house.sessions, "one")
    assert refused.value.retry_after
    publisher = house.client(role="publish")
    await publisher.offer(house.sessions, "one", None)
    with pytest.raises(NotLive):
        await house.client(role="watch").offer(house.sessions, "one")


async def test_there_is_room_for_so_many_viewers(open_house: Open) -> None:
    house = await open_house(max_viewers=1)
    await published(house)
    first, second = house.client(role="watch"), house.client(role="watch")
    session = await first.connect(house.sessions, "one")
    with pytest.raises(Unavailable, match="as many viewers"):
        await second.offer(house.sessions, "one")
    await house.sessions.end(session.id)
    await second.connect(house.sessions, "one")
    await second.more(1)


async def test_viewers_stay_while_the_publisher_is_away(open_house: Open) -> None:
    house = await open_house()
    publisher = await published(house)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(3)
    await publisher.close()
    await until(lambda: house.streams.report("one").state == "waiting")
    late = house.client(role="watch")
    await late.connect(house.sessions, "one")
    await late.more(1)
    await viewer.until(lambda: abs(late.luma - viewer.luma) <= 4)
    again = house.client("VP8", role="publish")
    again.camera.width, again.camera.height = 96, 128
    await again.connect(house.sessions, "one", None)
    for each in (viewer, late):
        await each.until(lambda each=each: (each.pictures[-1].width, each.pictures[-1].height) == (96, 128))  # type: ignore[misc]
        await each.more(3)
    assert house.streams.report("one").state == "live"


async def test_a_publisher_who_comes_again_takes_over_at_once(open_house: Open) -> None:
    house = await open_house()
    first = await published(house)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(3)
    second = house.client("VP8", role="publish")
    second.camera.width, second.camera.height = 96, 128
    await second.connect(house.sessions, "one", None)
    await viewer.until(lambda: viewer.pictures[-1].width == 96)
    await until(lambda: first.connection.connectionState == "closed")
    pts = [picture.pts or 0 for picture in viewer.pictures]
    assert pts == sorted(pts)
    await viewer.more(5)
    assert {picture.width for picture in viewer.pictures[-5:]} == {96}


async def test_one_who_only_offers_does_not_disturb_the_publisher(open_house: Open) -> None:
    house = await open_house(connect_timeout=0.5)
    await published(house)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(1)
    for _ in range(3):
        await house.client(role="publish").offer(house.sessions, "one", None)
    await viewer.more(30)
    assert house.streams.report("one").state == "live"


async def test_another_without_the_right_is_refused(open_house: Open) -> None:
    house = await open_house()
    owner = house.client(role="publish")
    await owner.connect(house.sessions, "one", None, credential="mine")
    await live(house)
    for credential in (None, "yours", "mine "):
        with pytest.raises(Conflict, match="has a publisher"):
            await house.client(role="publish").offer(house.sessions, "one", None, credential=credential)
    with pytest.raises(Conflict):
        await house.client().offer(house.sessions, "one", credential="mine")


async def test_a_stream_whose_publisher_stays_away_ends_with_its_viewers(open_house: Open) -> None:
    house = await open_house(publisher_timeout=0.2)
    publisher = await published(house)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(1)
    await publisher.close()
    await house.empty()
    await until(lambda: viewer.connection.connectionState == "closed")


async def test_who_ends_its_stream_with_nobody_there_frees_the_name(open_house: Open) -> None:
    house = await open_house()
    publisher = house.client(role="publish")
    session = await publisher.connect(house.sessions, "one", None)
    await live(house)
    await house.sessions.end(session.id)
    assert house.names == []


async def test_who_ends_its_stream_leaves_its_viewers_waiting(open_house: Open) -> None:
    house = await open_house()
    publisher = house.client(role="publish")
    session = await publisher.connect(house.sessions, "one", None)
    await live(house)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(1)
    await house.sessions.end(session.id)
    report = house.streams.report("one")
    assert (report.state, report.publisher, report.viewers) == ("waiting", None, 1)


async def test_a_loop_can_be_watched(open_house: Open) -> None:
    house = await open_house()
    peer = house.client()
    await peer.connect(house.sessions, "one")
    await peer.more(1)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(3)
    report = house.streams.report("one")
    assert sorted(each.protocol for each in report.audience) == ["loop", "whep"]
    await peer.close()
    await house.empty()


async def test_time_stamps_only_go_up_through_twenty_publishers(open_house: Open) -> None:
    house = await open_house()
    await published(house)
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(1)
    for number in range(20):
        publisher = house.client("VP8" if number % 2 else "H264", role="publish")
        width = publisher.camera.width = 64 + 16 * (number % 5)
        await publisher.connect(house.sessions, "one", None)
        await viewer.until(lambda width=width: viewer.pictures[-1].width == width)  # type: ignore[misc]
    pts = [picture.pts or 0 for picture in viewer.pictures]
    assert pts == sorted(pts)
    assert viewer.connection.connectionState == "connected"
