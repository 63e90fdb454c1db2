"""Deadlines and endings on real sockets. Times are short here; none is asserted."""

from __future__ import annotations

import asyncio

import pytest

from stream.rtmp.command import PublishRequest
from stream.rtmp.errors import Refused
from tests.stream.rtmp.conftest import Serve
from tests.stream.rtmp.media import tags
from tests.stream.rtmp.publisher import HELLO, PATIENCE, call, chunks, connect, media, opening, publish

SHORT = 0.08
"""s."""

TAGS = tags("H264", "AAC", 12)


async def test_a_publisher_is_let_in_and_every_picture_arrives(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    assert (await publisher.publish("me?token=right"))["code"] == "NetStream.Publish.Start"
    await publisher.send(media(TAGS, size=4096))
    assert len(await house.pictures(12)) == 12
    publication = house.publications[0]
    assert (publication.request.app, publication.request.name, publication.request.query) == ("live", "me", "token=right")
    assert (publication.request.address, publication.request.secure) == ("127.0.0.1", False)
    assert publication.ingest.address == "127.0.0.1"
    assert publication.ingest.properties["videocodecid"] == 7.0
    assert publication.ingest.protocol == "rtmp"
    assert publication.ingest.packets_lost == 0
    assert 0 < (publication.ingest.round_trip or 0) < PATIENCE * 1e9
    publication.ingest.request_keyframe()
    await publisher.send(call("FCUnpublish", 6, None, "me"))
    assert await publication.ended() == "the publisher ended its stream"
    await publisher.ended()


async def test_a_connection_that_is_lost_ends_its_stream(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    await publisher.publish("me")
    await publisher.close()
    assert await house.publications[0].ended() == "the publisher closed the connection"


async def test_a_wrong_key_is_refused_in_words_before_any_media_is_read(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    status = await publisher.publish("me?token=wrong")
    assert status == {
        "level": "error",
        "code": "NetStream.Publish.BadName",
        "description": "the token is wrong; ask for a new one",
    }
    await publisher.send(media(TAGS))
    await publisher.ended()
    assert house.publications == []


async def test_who_sends_on_without_reading_is_told_too(serve: Serve) -> None:
    """Closing on unread input would reset the connection, and the words could be lost: the server waits, and reads on."""
    house = await serve(linger=PATIENCE)
    publisher = await house.publisher()
    await publisher.send(opening(key="me?token=wrong") + media(TAGS) * 20)
    await publisher._reader.readexactly(3073)
    assert (await publisher.status())["description"] == "the token is wrong; ask for a new one"
    await publisher.send(media(TAGS) * 20)
    assert house.server.connections == 1
    await publisher.close()
    await house.empty()


async def test_while_a_key_is_looked_up_nothing_is_read(serve: Serve) -> None:
    house = await serve()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def check(request: PublishRequest) -> None:
        asked.set()
        await answer.wait()

    house.check = check
    publisher = await house.publisher()
    await publisher.send(opening() + media(TAGS))
    await asyncio.wait_for(asked.wait(), PATIENCE)
    [connection] = house.server._connections
    await publisher.send(media(TAGS))
    await asyncio.sleep(0)
    assert connection._paused
    assert not connection._transport.is_reading()
    answer.set()
    assert len(await house.pictures(12)) >= 12


async def test_a_lookup_that_takes_too_long_is_a_refusal(serve: Serve) -> None:
    house = await serve(decision_timeout=SHORT)

    async def check(request: PublishRequest) -> None:
        await asyncio.Event().wait()

    house.check = check
    publisher = await house.publisher()
    status = await publisher.publish("me")
    assert status["code"] == "NetStream.Publish.Rejected"
    assert "could not be got ready in time" in status["description"]
    await publisher.ended()


async def test_a_lookup_that_fails_is_a_refusal(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    house = await serve()

    async def check(request: PublishRequest) -> None:
        raise ZeroDivisionError

    house.check = check
    publisher = await house.publisher()
    assert "an error in the server" in (await publisher.publish("me?token=secret"))["description"]
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text
    caplog.clear()


async def test_a_refusal_may_have_another_code(serve: Serve) -> None:
    house = await serve()

    async def check(request: PublishRequest) -> None:
        raise Refused("this server is full; try again later", "NetStream.Publish.Rejected")

    house.check = check
    publisher = await house.publisher()
    assert (await publisher.publish("me"))["code"] == "NetStream.Publish.Rejected"


async def test_the_same_key_again_takes_over_at_once(serve: Serve) -> None:
    house = await serve()
    first = await house.publisher()
    await first.publish("me")
    await first.send(media(TAGS, size=4096))
    await house.pictures(12)
    second = await house.publisher()
    assert (await second.publish("me"))["code"] == "NetStream.Publish.Start"
    assert await house.publications[0].ended() == "another publisher took over"
    assert (await first.status())["description"] == "another publisher took over"
    await second.send(media(tags("H264", "", 6, width=320), size=4096))
    await first.send(media(TAGS, size=4096))
    assert len(await house.pictures(6)) == 6
    assert len(house.publications[0].pictures) == 12
    assert not house.publications[1].over.is_set()


async def test_publishers_come_and_go_many_times(serve: Serve) -> None:
    house = await serve()
    for turn in range(20):
        publisher = await house.publisher()
        assert (await publisher.publish("me"))["code"] == "NetStream.Publish.Start"
        await publisher.send(media(tags(("H264", "VP9")[turn % 2], "", 6, width=(160, 320)[turn // 2 % 2]), size=4096))
        assert len(await house.pictures(6)) == 6
    assert [publication.over.is_set() for publication in house.publications] == [True] * 19 + [False]


async def test_a_stream_that_breaks_the_rules_ends_in_words(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    await publisher.publish("me")
    await publisher.send(chunks(9, b"\x91vvc1data", on=4, stream=1, size=4096))
    status = await publisher.status()
    assert status["level"] == "error"
    assert "send one of H264" in status["description"]
    assert await house.publications[0].ended() == status["description"]
    await publisher.ended()


async def test_silence_after_publish_ends_the_stream(serve: Serve) -> None:
    house = await serve(idle_timeout=SHORT)
    publisher = await house.publisher()
    await publisher.publish("me")
    assert await house.publications[0].ended() == f"nothing came for {SHORT:g} s"
    await publisher.ended()


async def test_talk_without_media_is_silence(serve: Serve) -> None:
    house = await serve(idle_timeout=SHORT)
    publisher = await house.publisher()
    await publisher.publish("me")
    over = house.publications[0].over
    while not over.is_set():
        await publisher.send(chunks(4, b"\0\6\0\0\0\0", on=2))
        await asyncio.sleep(0.01)
    assert house.publications[0].reason.startswith("nothing came")


async def test_media_keep_a_stream(serve: Serve) -> None:
    house = await serve(idle_timeout=10.0)
    publisher = await house.publisher()
    await publisher.publish("me")
    [connection] = house.server._connections
    connection._heard -= 5.0
    await publisher.send(media(TAGS, size=4096))
    await house.pictures(12)
    assert connection._heard > asyncio.get_running_loop().time() - 5.0
    connection._check_idle()
    assert not connection.ended


DEADLINES = {
    "silent": b"",
    "half a handshake": HELLO[:700],
    "C0 and C1 only": HELLO,
    "no connect": HELLO + bytes(1536),
    "connect only": HELLO + bytes(1536) + connect(),
    "half a command": HELLO + bytes(1536) + connect()[:40],
    "create only": HELLO + bytes(1536) + connect() + call("createStream", 4, None),
}


@pytest.mark.parametrize("data", DEADLINES.values(), ids=DEADLINES)
async def test_who_does_not_come_to_the_point_is_gone_by_the_deadline(serve: Serve, data: bytes) -> None:
    house = await serve(handshake_timeout=SHORT, publish_timeout=SHORT, linger=SHORT)
    publisher = await house.publisher()
    await publisher.send(data)
    await publisher.ended()
    await house.empty()
    assert house.publications == []


async def test_after_the_handshake_another_deadline_counts(serve: Serve) -> None:
    house = await serve(handshake_timeout=0.5, publish_timeout=PATIENCE)
    publisher = await house.publisher()
    await publisher.handshake()
    await publisher.send(connect())
    assert (await publisher.answer())[0] == "_result"
    await asyncio.sleep(0.6)
    await publisher.send(publish("me"))
    assert (await publisher.status())["code"] == "NetStream.Publish.Start"


async def test_who_is_too_late_to_publish_is_told(serve: Serve) -> None:
    house = await serve(publish_timeout=SHORT)
    publisher = await house.publisher()
    await publisher.send(HELLO + bytes(1536) + connect())
    await publisher._reader.readexactly(3073)
    assert (await publisher.status())["description"] == "nothing was published in time"


async def test_a_trickle_does_not_move_the_deadline(serve: Serve) -> None:
    house = await serve(handshake_timeout=2 * SHORT)
    publisher = await house.publisher()

    async def trickle() -> None:
        for byte in HELLO:
            await publisher.send(bytes((byte,)))
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await trickle()
    await house.empty()


async def test_who_asks_and_does_not_listen_is_cut_off(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    await publisher.publish("me")
    pings = chunks(4, b"\0\6\0\0\0\0", on=2) * 4096

    async def ask() -> None:
        while True:
            await publisher.send(pings)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(ask(), PATIENCE)
    assert await house.publications[0].ended() == "the publisher does not read what it is answered"


async def test_a_lookup_ends_with_the_server(serve: Serve) -> None:
    house = await serve()
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def check(request: PublishRequest) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    house.check = check
    publisher = await house.publisher()
    await publisher.send(opening())
    await asyncio.wait_for(asked.wait(), PATIENCE)
    closing = asyncio.create_task(house.server.close())
    await publisher.ended()
    await publisher.close()
    await asyncio.wait_for(closing, PATIENCE)
    assert cancelled.is_set()


async def test_publish_again_on_one_connection_is_refused(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    await publisher.publish("me")
    await publisher.send(publish("other"))
    assert "publishes already" in (await publisher.status())["description"]
    assert "publishes already" in await house.publications[0].ended()
