from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import pytest

from signaling.auth.authority import REFUSED, Authority, Call
from signaling.auth.need import Need
from signaling.auth.principal import Principal
from signaling.errors import BadRequest
from signaling.rate import RateLimit
from signaling.rtmp import REJECTED, RtmpDoor
from stream.errors import NoRoom, StreamExists, UnknownStream
from stream.ingest.rtmp import RtmpIngest
from stream.picture import EncodedPicture
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.errors import Refused
from stream.rtmp.limits import RtmpLimits
from stream.rtmp.server import RtmpServer
from stream.sound.packet import SoundPacket
from stream.streams import Streams
from tests.keys import authority, patient, ring, sign, token_key
from tests.stream.rtmp.media import tags
from tests.stream.rtmp.publisher import PATIENCE, Publisher, call, media, opening
from transforms.base import Settings
from transforms.chain import Step
from transforms.errors import ModelUnavailable, UnknownTransform

TAGS = tags("H264", "AAC", 12)


class FakePublication:
    def __init__(self) -> None:
        self.pictures: list[EncodedPicture] = []
        self.packets: list[SoundPacket] = []
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def video(self, picture: EncodedPicture) -> None:
        self.pictures.append(picture)

    def sound(self, packet: SoundPacket) -> None:
        self.packets.append(packet)

    def closed(self, reason: str) -> None:
        self.over.set_result(reason)


class FakeStream:
    def __init__(self, name: str, credential: str | None) -> None:
        self.name, self.credential = name, credential
        self.chain: list[str] | None = None
        self.publications: list[FakePublication] = []
        self.error: Exception | None = None
        self.preparing: asyncio.Event | None = None

    async def set_chain(self, steps: Sequence[Step]) -> None:
        assert not self.publications or self.chain is None
        if self.preparing is not None:
            await self.preparing.wait()
        if self.error is not None:
            raise self.error
        self.chain = [step.key for step in steps]

    def attach(self, make: Callable[[Any], RtmpIngest]) -> RtmpIngest:
        self.publications.append(FakePublication())
        return make(self.publications[-1])


class FakeStreams:
    """As ``stream.streams.Streams`` behaves towards the door."""

    def __init__(self) -> None:
        self.streams: dict[str, FakeStream] = {}
        self.abandoned: list[str] = []
        self.error: Exception | None = None
        self.chain_error: Exception | None = None
        self.preparing: asyncio.Event | None = None

    def open(self, name: str, credential: str | None = None, *, exclusive: bool = False, takes_over: bool = False) -> FakeStream:
        assert not exclusive
        if self.error is not None:
            raise self.error
        stream = self.streams.setdefault(name, FakeStream(name, credential))
        if stream.credential != credential and not takes_over:
            raise StreamExists(f"stream {name!r} has a publisher already; use another name, or end that one first")
        stream.error, stream.preparing = self.chain_error, self.preparing
        return stream

    async def abandon(self, stream: FakeStream) -> None:
        await asyncio.sleep(0)
        self.abandoned.append(stream.name)


def parse_chain(text: str) -> list[Step]:
    if text == "unknown":
        raise UnknownTransform("there is no transform 'unknown'")
    if text == "[":
        raise BadRequest("this is not JSON")
    return [Step(key, Settings()) for key in text.split(",") if key]


class House:
    """A door, and a server to knock at it."""

    def __init__(self) -> None:
        self.streams = FakeStreams()
        self.authority = authority()
        self.publishers: list[Publisher] = []
        door = RtmpDoor(cast(Streams, self.streams), parse_chain, cast(Authority, self))
        self.server = RtmpServer(door.on_publish, RtmpLimits())
        self.port = 0

    async def decide(self, *asked: Any) -> Principal:
        """Of the authority that a test has put in."""
        return await self.authority.decide(*asked)

    async def publisher(self) -> Publisher:
        self.publishers.append(await Publisher.open(self.port))
        return self.publishers[-1]

    async def publish(self, key: str, app: str = "live") -> dict[str, Any]:
        return await (await self.publisher()).publish(key, app)

    async def refused(self, key: str, app: str = "live") -> tuple[str, str]:
        """The code and the words."""
        publisher = await self.publisher()
        status = await publisher.publish(key, app)
        assert status["level"] == "error"
        await publisher.ended()
        return status["code"], status["description"]


@pytest.fixture
async def house(caplog: pytest.LogCaptureFixture) -> AsyncIterator[House]:
    """At the end no connection is left, and nothing of a token was logged."""
    caplog.set_level(logging.DEBUG)
    house = House()
    house.port = await house.server.listen("127.0.0.1", 0)
    yield house
    for publisher in house.publishers:
        await publisher.close()
    await house.server.close()
    assert house.server.connections == 0
    assert "s3cret" not in caplog.text


async def test_who_may_publish_publishes(house: House) -> None:
    publisher = await house.publisher()
    assert (await publisher.publish("me"))["code"] == "NetStream.Publish.Start"
    await publisher.send(media(TAGS, size=4096) + call("FCUnpublish", 6, None, "me", size=4096))
    stream = house.streams.streams["me"]
    [publication] = stream.publications
    assert await asyncio.wait_for(publication.over, PATIENCE) == "the publisher ended its stream"
    assert len(publication.pictures) == 12
    assert len(publication.packets) == sum(tag.kind == 8 for tag in TAGS) - 1
    assert (stream.credential, stream.chain) == (None, None)
    assert house.streams.abandoned == []


@pytest.mark.parametrize("app", ["other", "live/sub", "Live", ""])
async def test_another_app_is_told_which_one(house: House, app: str) -> None:
    assert await house.refused("me", app) == ("NetStream.Publish.BadName", "publish to rtmp://host/live/NAME")
    assert house.streams.streams == {}


@pytest.mark.parametrize("name", ["a b", "..", "a/b", "x" * 65, "ä"])
async def test_a_name_that_is_none(house: House, name: str) -> None:
    code, words = await house.refused(f"{name}?token=s3cret")
    assert code == "NetStream.Publish.BadName"
    assert "letters" in words


@pytest.mark.parametrize(
    "query", ["?token=s3cret+key", "?key=s3cret+key", "?chain=a&token=s3cret%2Bkey", "?token=old&token=s3cret+key"]
)
async def test_the_right_token(house: House, query: str) -> None:
    house.authority = authority("s3cret+key")
    assert (await house.publish("me" + query))["code"] == "NetStream.Publish.Start"
    assert house.streams.streams["me"].credential == "key:access-key"


@pytest.mark.parametrize(
    "query", ["", "?token=", "?chain=a", "?token=s3cret", "?token=S3CRET-KEY", "?token=%ff", "?token=s3cret-key ", "?token=ключ"]
)
async def test_a_wrong_token_is_refused_before_anything_is_opened(house: House, query: str) -> None:
    house.authority = authority("s3cret-key")
    told = f"{REFUSED}: publish to rtmp://host/live/NAME?token=TOKEN"
    assert await house.refused("me" + query) == ("NetStream.Publish.BadName", told)
    assert house.streams.streams == {}


async def test_who_was_refused_often_waits(house: House) -> None:
    house.authority = authority("s3cret-key")
    house.authority.failures = RateLimit(1, clock=lambda: 0.0)
    await house.refused("me")
    code, words = await house.refused("me?token=s3cret-other")
    assert code == REJECTED
    assert "wait" in words


async def test_what_is_decided_on_is_name_and_token_and_address(house: House) -> None:
    asked: list[tuple[Any, ...]] = []

    class Asked(Authority):
        async def decide(self, credential: str | None, need: Need, stream: str | None, call: Call) -> Principal:
            asked.append((credential, need.action, stream, call.client, call.name))
            return await super().decide(credential, need, stream, call)

    house.authority = Asked()
    await house.publish("me?token=s3cret")
    await house.publish("you")
    assert asked == [
        ("s3cret", "publish", "me", "127.0.0.1", "RTMP publish"),
        (None, "publish", "you", "127.0.0.1", "RTMP publish"),
    ]


async def test_a_renewed_token_takes_its_stream_over_and_so_does_an_admin(house: House) -> None:
    key = token_key()
    house.authority = patient(ring(key))
    for token in (
        sign(key, streams=["me"], sub="s3cret-agent"),
        sign(key, streams=["m*"], sub="s3cret-agent"),
        sign(key, ["admin"], ["*"], sub="desk"),
    ):
        assert (await house.publish(f"me?token={token}"))["code"] == "NetStream.Publish.Start"
    other = sign(key, streams=["me"], sub="other")
    assert "has a publisher already" in (await house.refused(f"me?token={other}"))[1]


async def test_the_same_token_takes_over_and_another_one_does_not(house: House) -> None:
    await house.publish("me?token=s3cret")
    assert (await house.publish("me?token=s3cret"))["code"] == "NetStream.Publish.Start"
    assert len(house.streams.streams["me"].publications) == 2
    code, words = await house.refused("me?token=s3cret-other")
    assert code == "NetStream.Publish.BadName"
    assert "has a publisher already" in words
    assert house.streams.abandoned == []


async def test_a_full_server_may_be_asked_again(house: House) -> None:
    house.streams.error = NoRoom("this server runs as many streams as it may (2); try again later")
    assert await house.refused("me") == (REJECTED, "this server runs as many streams as it may (2); try again later")


@pytest.mark.parametrize(
    ("query", "chain"), [("?chain=a,b", ["a", "b"]), ("?chain=a%2Cb&token=s3cret", ["a", "b"]), ("?chain=", [])]
)
async def test_a_chain_is_set_before_the_publisher_is_let_in(house: House, query: str, chain: list[str]) -> None:
    house.streams.preparing = asyncio.Event()
    publisher = await house.publisher()
    waiting = asyncio.create_task(publisher.publish("me" + query))
    async with asyncio.timeout(PATIENCE):
        while "me" not in house.streams.streams:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
    assert not waiting.done()
    assert house.streams.streams["me"].publications == []
    house.streams.preparing.set()
    assert (await waiting)["code"] == "NetStream.Publish.Start"
    assert house.streams.streams["me"].chain == chain


@pytest.mark.parametrize(("chain", "words"), [("unknown", "no transform 'unknown'"), ("%5B", "not JSON")])
async def test_a_chain_that_cannot_be_read_opens_nothing(house: House, chain: str, words: str) -> None:
    code, said = await house.refused(f"me?chain={chain}")
    assert (code, words in said) == ("NetStream.Publish.BadName", True)
    assert house.streams.streams == {}


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UnknownTransform("it cannot be prepared"), "NetStream.Publish.BadName", "it cannot be prepared"),
        (ModelUnavailable("nobody has it"), REJECTED, "a model of the chain cannot be had: nobody has it"),
        (UnknownStream("stream 'me' is ending"), REJECTED, "is ending"),
        (ZeroDivisionError(), REJECTED, "an error in the server"),
    ],
)
async def test_a_chain_that_cannot_be_had_leaves_no_stream(house: House, error: Exception, code: str, words: str) -> None:
    house.streams.chain_error = error
    said = await house.refused("me?chain=a&token=s3cret")
    assert (said[0], words in said[1]) == (code, True)
    assert house.streams.abandoned == ["me"]
    assert house.streams.streams["me"].publications == []


async def test_who_goes_away_while_its_chain_is_prepared_leaves_no_stream(house: House) -> None:
    house.streams.preparing = asyncio.Event()
    publisher = await house.publisher()
    await publisher.send(opening(key="me?chain=a"))
    async with asyncio.timeout(PATIENCE):
        while "me" not in house.streams.streams:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
        [connection] = house.server._connections
        connection.abort("it went away")
        while not house.streams.abandoned:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
    assert house.streams.abandoned == ["me"]
    assert house.streams.streams["me"].publications == []


async def test_a_query_of_many_parameters_is_not_read() -> None:
    door = RtmpDoor(cast(Streams, FakeStreams()), parse_chain, Authority())
    with pytest.raises(Refused, match="more than 16 parameters"):
        await door.on_publish(PublishRequest("live", "me", "&".join(f"a{i}=1" for i in range(17))), cast(Connection, None))
