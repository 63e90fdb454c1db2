"""Many at once, and those who mean no good."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
import uvloop

from stream.rtmp.command import PublishRequest
from stream.rtmp.limits import MEDIA_BYTES, RtmpLimits
from tests.stream.rtmp.conftest import House, Serve
from tests.stream.rtmp.media import FPS, tags
from tests.stream.rtmp.publisher import HELLO, PATIENCE, call, chunks, connect, media, opening, publish
from tests.stream.rtmp.test_connection import SHORT

TAGS = tags("H264", "AAC", 12)
NOISE = random.Random(4).randbytes(200_000)
IN = HELLO + bytes(1536)

HOSTILE = {
    "garbage": NOISE,
    "garbage after the version": b"\3" + NOISE,
    "garbage after the handshake": IN + NOISE,
    "HTTP": b"POST /live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n" + bytes(100_000),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + NOISE[:600],
    "half a handshake": HELLO[:1000],
    "a giant message": IN + b"\3\0\0\0\xff\xff\xff\x14\0\0\0\0" + bytes(100_000),
    "a giant message of media": IN + connect() + b"\6\0\0\0" + MEDIA_BYTES.to_bytes(3) + b"\x09\1\0\0\0" + bytes(100_000),
    "20,000 chunk streams": IN
    + b"".join(b"\1" + index.to_bytes(2, "little") + b"\0\0\0\0\0\1\4\0\0\0\0x" for index in range(20_000)),
    "chunk size 0": IN + chunks(1, bytes(4), on=2) + connect() * 100,
    "chunk size 1": IN + chunks(1, (1).to_bytes(4), on=2) + connect() * 100,
    "format 3 first": IN + b"\xc3" * 100_000,
    "nested AMF": IN + chunks(20, b"\2\0\7connect\0" + bytes(8) + b"\3\0\1a" * 15_000),
    "wide AMF": IN + chunks(20, b"\2\0\7connect\0" + bytes(8) + b"\x0a\xff\xff\xff\xff" + b"\5" * 60_000),
    "a command without end": IN + (b"\3\0\0\0\1\0\0\x14\0\0\0\0" + (bytes(128) + b"\xc3") * 600),
    "commands without end": IN + connect() + call("_checkbw", 2, None) * 10_000,
    "pings without end": IN + connect() + chunks(4, b"\0\6\0\0\0\0", on=2) * 20_000,
    "media before publish": IN + connect() + media(TAGS),
    "publish before connect": IN + publish("me"),
    "a key without end": IN + connect() + publish("x" * 60_000),
    "a wrong key and media": opening(key="other?token=wrong") + media(TAGS) * 100,
    "play": IN + connect() + call("play", 2, None, "me"),
}


async def attack(house: House, data: bytes) -> None:
    """Sends it all, as far as it is let, and waits for the end."""
    publisher = await house.publisher()
    with contextlib.suppress(ConnectionError):
        await publisher.send(data)
    await publisher.ended()
    await publisher.close()


async def test_hostile_clients_are_refused_while_a_stream_runs_beside_them(serve: Serve) -> None:
    house = await serve(handshake_timeout=1.0, publish_timeout=1.0, linger=SHORT)
    publisher = await house.publisher()
    await publisher.publish("me")
    attacks = asyncio.gather(*(attack(house, data) for data in HOSTILE.values()))
    sent = 0
    while not attacks.done() or sent < 3:
        await publisher.send(media(TAGS, size=4096, offset=sent * 12_000 // FPS))
        sent += 1
        await asyncio.sleep(0.01)
    await asyncio.wait_for(attacks, PATIENCE)
    pictures = await house.pictures(12 * sent)
    assert len(pictures) == 12 * sent
    assert [picture.keyframe for picture in pictures].count(True) == 2 * sent
    assert len(house.publications) == 1
    assert house.server.connections == 1


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
async def test_each_of_them_alone_is_gone_by_the_deadline(serve: Serve, data: bytes) -> None:
    house = await serve(handshake_timeout=SHORT, publish_timeout=SHORT, linger=SHORT)
    await asyncio.wait_for(attack(house, data), PATIENCE)
    await house.empty()
    assert house.publications == []


def test_all_of_it_on_uvloop() -> None:
    """The loop that the server runs on; its transports are not asyncio's."""

    async def scenario() -> None:
        house = House(RtmpLimits(handshake_timeout=0.5, publish_timeout=1.0, linger=SHORT))
        await house.listen()
        publisher = await house.publisher()
        await publisher.publish("me")
        await asyncio.gather(*(attack(house, data) for data in HOSTILE.values()))
        await publisher.send(media(TAGS * 100, size=4096))
        assert len(await house.pictures(1200)) == 1200
        other = await house.publisher()
        assert (await other.publish("other?token=wrong"))["code"] == "NetStream.Publish.BadName"
        await other.ended()
        await house.server.close()
        assert house.server.connections == 0
        for each in house.publishers:
            await each.close()

    uvloop.run(scenario())


async def test_holding_connections_open_shuts_nobody_out(serve: Serve) -> None:
    house = await serve(max_pending=4)
    working = await house.publisher()
    await working.publish("me")
    silent = [await house.publisher() for _ in range(4)]
    other = await house.publisher()
    assert (await other.publish("other"))["code"] == "NetStream.Publish.Start"
    await silent[0].ended()
    assert house.server.connections == 5
    assert not house.publications[0].over.is_set()


async def test_many_streams_on_one_port(serve: Serve) -> None:
    house = await serve()
    publishers = [await house.publisher() for _ in range(10)]
    for index, publisher in enumerate(publishers):
        await publisher.publish(f"stream{index}")
    for publisher in publishers:
        await publisher.send(media(TAGS, size=4096))
    await house.pictures(12)
    assert [len(publication.pictures) for publication in house.publications] == [12] * 10
    assert [publication.request.name for publication in house.publications] == [f"stream{index}" for index in range(10)]


async def test_the_end_of_the_server_is_the_end_of_all(serve: Serve) -> None:
    house = await serve()
    publishers = [await house.publisher() for _ in range(3)]
    await publishers[0].publish("me")
    await publishers[1].handshake()
    closing = asyncio.create_task(house.server.close("maintenance"))
    assert (await publishers[0].status())["description"] == "maintenance"
    for publisher in publishers:
        await publisher.ended()
        await publisher.close()
    await asyncio.wait_for(closing, PATIENCE)
    assert await house.publications[0].ended() == "maintenance"
    assert house.server.connections == 0
    with pytest.raises(ConnectionError):
        await house.publisher()


async def test_a_dead_peer_does_not_hold_up_the_end(serve: Serve) -> None:
    house = await serve(linger=SHORT)
    publisher = await house.publisher()
    await publisher.publish("me")
    await asyncio.wait_for(house.server.close(), PATIENCE)
    assert house.server.connections == 0


async def test_close_twice(serve: Serve) -> None:
    house = await serve()
    await house.server.close()
    await house.server.close()


async def test_the_ingest_may_be_closed_twice(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    await publisher.publish("me")
    ingest = house.publications[0].ingest
    await ingest.close("first")
    await ingest.close("second")
    assert await house.publications[0].ended() == "first"


async def test_a_lookup_hangs_only_its_own(serve: Serve) -> None:
    house = await serve()
    answer = asyncio.Event()

    async def check(request: PublishRequest) -> None:
        if request.name == "slow":
            await answer.wait()

    house.check = check
    slow, quick = await house.publisher(), await house.publisher()
    await slow.send(opening(key="slow"))
    assert (await quick.publish("quick"))["code"] == "NetStream.Publish.Start"
    assert [publication.request.name for publication in house.publications] == ["quick"]
    answer.set()
    await slow._reader.readexactly(3073)
    assert (await slow.status())["code"] == "NetStream.Publish.Start"
