"""What goes wrong only at the edges of a stream's life: with an ingest of the test's own, and viewers over loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from signaling.source import SourceDoor
from stream.errors import NoRoom, StreamExists, UnknownStream
from stream.limits import SECOND
from stream.media.source import Allowed
from stream.picture import EncodedPicture
from stream.publication import Publication
from stream.session import Stream
from stream.sound.packet import SoundPacket
from stream.streams import WORKERS
from tests.keys import NOBODY
from tests.stream.client import PATIENCE
from tests.stream.conftest import House
from tests.stream.media.films import film
from tests.stream.pictures import FRAME, encoded
from transforms.base import Settings, Transform
from transforms.chain import Step
from transforms.frame import Frame, Timeline

Open = Callable[..., Awaitable[House]]

OPUS = b"\xfc" + bytes(60)
"""20 ms of nothing."""


@dataclass
class FakeIngest:
    publication: Publication
    protocol: str = "fake"
    packets_lost: int = 0
    pictures_lost: int = 0
    round_trip: int | None = None
    closed: list[str] = field(default_factory=list)

    def request_keyframe(self) -> None:
        pass

    async def close(self, reason: str) -> None:
        self.closed.append(reason)
        self.publication.closed(reason)


def attach(stream: Stream) -> FakeIngest:
    ingest = stream.attach(FakeIngest)
    assert isinstance(ingest, FakeIngest)
    return ingest


def send(house: House, stream: Stream, ingest: FakeIngest, pictures: list[EncodedPicture]) -> None:
    for picture in pictures:
        ingest.publication.video(replace(picture, timeline=Timeline(received=stream._engine.clock())))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_who_comes_while_nobody_publishes_sees_the_last_picture_though_nobody_saw_it(open_house: Open) -> None:
    house = await open_house()
    stream = house.streams.open("one")
    ingest = attach(stream)
    send(house, stream, ingest, encoded(2))
    await until(lambda: stream._statistics.drops.snapshot().get("unwatched", 0) > 0)
    await ingest.close("gone")
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await viewer.more(1)


class Slow(Transform[Settings]):
    title = "Slow"
    summary = "For tests."
    settings_type = Settings
    going, go = threading.Event(), threading.Event()
    alive = 0

    def prepare(self) -> None:
        Slow.alive += 1
        Slow.going.set()
        assert Slow.go.wait(PATIENCE)

    def process(self, frame: Frame) -> Frame:
        return frame

    def close(self) -> None:
        Slow.alive -= 1


async def test_a_stream_ends_while_its_models_are_still_on_their_way(open_house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.registry.load", lambda key: Slow)
    house = await open_house()
    # As many as there are workers, and one more.
    streams = [house.streams.open(f"stream-{number}") for number in range(WORKERS + 1)]
    settings = [asyncio.create_task(stream.set_chain([Step.parse("slow", {})])) for stream in streams]
    await until(Slow.going.is_set)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(house.streams.end(stream, "over") for stream in streams))
    assert house.names == []
    assert not any(setting.done() for setting in settings)
    Slow.go.set()
    for outcome in await asyncio.gather(*settings, return_exceptions=True):
        assert isinstance(outcome, UnknownStream)
    assert Slow.alive == 0


class White(Transform[Settings]):
    title = "White"
    summary = "For tests."
    settings_type = Settings

    def process(self, frame: Frame) -> Frame:
        frame.fill(235)
        return frame


async def test_what_is_shown_again_goes_through_the_chain_that_there_is_now(
    open_house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.registry.load", lambda key: White)
    house = await open_house()
    stream = house.streams.open("one")
    ingest = attach(stream)
    send(house, stream, ingest, encoded(1))
    viewer = house.client(role="watch")
    await viewer.connect(house.sessions, "one")
    await ingest.close("gone")
    await viewer.more(1)
    assert viewer.luma < 210
    await stream.set_chain([Step.parse("white", {})])
    await viewer.until(lambda: viewer.luma > 225)


async def test_nobody_can_begin_to_publish_what_is_ending(open_house: Open) -> None:
    house = await open_house()
    stream = house.streams.open("one")
    attach(stream)
    ending = house.streams.end(stream, "over")
    await asyncio.sleep(0)
    with pytest.raises(UnknownStream):
        attach(stream)
    await ending


async def test_a_publisher_who_never_sends_is_ended(open_house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.session.FIRST_PACKET", SECOND // 10)
    house = await open_house()
    connecting = attach(house.streams.open("one"))
    await house.empty()
    assert len(connecting.closed) == 1
    stream = house.streams.open("two")
    send(house, stream, attach(stream), encoded(1))
    rival = attach(stream)
    await until(lambda: bool(rival.closed))
    assert stream.state == "live"


async def test_a_source_that_is_patient_by_itself_is_waited_for(open_house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.session.FIRST_PACKET", 0)
    house = await open_house()
    stream = house.streams.open("one")
    ingest = stream.attach(FakeIngest, patient=True)
    assert isinstance(ingest, FakeIngest)
    stream._beat()
    await asyncio.sleep(0)
    assert (stream.state, ingest.closed) == ("connecting", [])


async def test_a_credential_may_be_any_text(open_house: Open) -> None:
    house = await open_house()
    one = house.streams.open("one", "caf\udce9")
    assert house.streams.open("one", "caf\udce9") is one
    for other in ("cafe", "caf\udcea", None):
        with pytest.raises(StreamExists):
            house.streams.open("one", other)


async def test_sound_that_ran_ahead_is_not_run_into_by_the_next_publishers(open_house: Open) -> None:
    house = await open_house()
    stream = house.streams.open("one")
    heard: list[int] = []
    stream._sound._line._deliver = lambda packet: heard.append(packet.pts)
    first = attach(stream)
    now = stream._engine.clock()
    for number in range(100):
        # Two seconds at once.
        first.publication.sound(SoundPacket(OPUS, number * 960, "OPUS", b"", now))
    await first.close("gone")
    second = attach(stream)
    for number in range(3):
        second.publication.sound(SoundPacket(OPUS, number * 960, "OPUS", b"", stream._engine.clock()))
    await until(lambda: len(heard) >= 103)
    assert heard == sorted(heard)
    assert stream._statistics.drops.snapshot().get("sound_late", 0) == 0


async def test_sound_too_long_for_a_line_harms_nobody(open_house: Open) -> None:
    house = await open_house()
    stream = house.streams.open("one")
    ingest = attach(stream)
    ingest.publication.sound(SoundPacket(OPUS, 0, "OPUS", b"", stream._engine.clock()))
    viewer = house.client(role="watch", sound=True, pictures=False)
    await viewer.connect(house.sessions, "one")
    await until(lambda: house.streams.report("one").viewers == 1)
    for number in range(1, 20):
        long = bytes(5000) if number == 2 else b""
        ingest.publication.sound(SoundPacket(OPUS + long, number * 960, "OPUS", b"", stream._engine.clock()))
    await viewer.until(lambda: len(viewer.sounds) >= 2)


async def test_a_stream_that_nobody_publishes_or_watches_makes_room(open_house: Open) -> None:
    house = await open_house(max_streams=2)
    one = house.streams.open("one")
    send(house, one, ingest := attach(one), encoded(1))
    two = house.streams.open("two")
    attach(two)
    with pytest.raises(NoRoom):
        house.streams.open("three")
    await ingest.close("gone")
    assert one.state == "waiting"
    house.streams.open("three")
    with pytest.raises(NoRoom):
        house.streams.open("four")
    await until(lambda: house.names == ["two", "three"])


async def test_who_comes_while_the_publisher_is_still_sees_its_last_picture(open_house: Open) -> None:
    house = await open_house()
    stream = house.streams.open("one")
    ingest = attach(stream)
    send(house, stream, ingest, encoded(2))
    for number in range(1, 4):
        viewer = house.client(role="watch")
        await viewer.connect(house.sessions, "one")
        await until(lambda number=number: house.keyframes.count(True) >= number)  # type: ignore[misc]
    assert stream.state == "live"
    send(house, stream, ingest, [replace(picture, pts=picture.pts + 30 * FRAME) for picture in encoded(2)])
    await viewer.more(1)


async def test_a_publisher_who_is_silent_counts_as_away(open_house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.session.SILENCE", SECOND // 10)
    house = await open_house(publisher_timeout=1000.0)
    stream = house.streams.open("one")
    ingest = attach(stream)
    send(house, stream, ingest, encoded(2))
    await until(lambda: stream.state == "waiting")
    assert (ingest.closed, stream.report().publisher is not None) == ([], True)
    send(house, stream, ingest, [replace(picture, pts=picture.pts + 30 * FRAME) for picture in encoded(2)])
    assert stream.state == "live"


async def test_a_publisher_who_is_silent_for_good_is_ended(open_house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.session.SILENCE", SECOND // 10)
    house = await open_house(publisher_timeout=0.2)
    stream = house.streams.open("one")
    ingest = attach(stream)
    send(house, stream, ingest, encoded(2))
    await house.empty()
    assert len(ingest.closed) == 1


async def test_a_rival_takes_over_once_it_can_be_seen(open_house: Open) -> None:
    house = await open_house()
    stream = house.streams.open("one")
    first = attach(stream)
    send(house, stream, first, encoded(2))
    await until(lambda: stream._pipeline.size_in != (0, 0))
    rival = attach(stream)
    send(house, stream, rival, encoded(4)[1:])
    assert first.closed == []
    send(house, stream, rival, encoded(1))
    await until(lambda: first.closed == ["another publisher took over"])
    assert stream.report().drops["awaiting_keyframe"] == 3


async def test_a_source_that_is_ended_frees_its_name_unless_somebody_watches(open_house: Open, tmp_path: Path) -> None:
    house = await open_house()
    film(tmp_path / "film.mp4")
    door = SourceDoor(house.streams, Allowed(directory=tmp_path), 1 << 20)
    for watched in (False, True):
        assert await door.start_source("one", "film.mp4", True, None, NOBODY)
        await until(lambda: house.streams.report("one").state == "live")
        if watched:
            viewer = house.client(role="watch")
            await viewer.connect(house.sessions, "one")
            await viewer.more(1)
        await door.end_source("one")
        assert house.names == (["one"] if watched else [])
    assert house.streams.report("one").state == "waiting"
