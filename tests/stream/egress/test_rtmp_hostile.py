"""Servers that hang, lie or go: each is given up by its deadline, and nothing piles up meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from stream.rtmp.limits import MAX_BACKLOG, MIN_BACKLOG, SERVER_BYTES, PushLimits
from tests.stream.egress.pushing import Push, large
from tests.stream.egress.rtmp_servers import Server, Talk, speaking, until
from tests.stream.rtmp.publisher import chunks
from tests.stream.rtmp.test_push_session import CONNECTED, CREATED, HELLO, STARTED
from tests.stream.rtmp.test_tls import Contexts, contexts  # noqa: F401 - a fixture

SHORT = PushLimits(connect_timeout=1, command_timeout=1, stall_timeout=0.5, linger=0.2)


def says(*parts: bytes, close: bool = False) -> Talk:
    """Says the parts, each after it heard something, and then nothing, or good-bye."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            await reader.read(65_536)
            writer.write(part)
        if close:
            writer.close()
        else:
            await reader.read(-1)

    return talk


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (says(), "the server did not finish the handshake within 1 s"),
        (says(HELLO[:1]), "the server did not finish the handshake within 1 s"),
        (says(HELLO[:1700]), "the server did not finish the handshake within 1 s"),
        (says(HELLO), "the server did not answer connect within 1 s"),
        (says(HELLO, CONNECTED), "the server did not answer createStream within 1 s"),
        (says(HELLO, CONNECTED, CREATED), "the server did not answer publish within 1 s"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not an RTMP server"),
        (says(HELLO, chunks(20, b"\xff" * 50)), "a command that is none"),
        (says(close=True), "the server closed the connection"),
        (says(HELLO, close=True), "the server closed the connection"),
        (says(HELLO + bytes(SERVER_BYTES)), f"sends more than {SERVER_BYTES} bytes"),
        (says(HELLO, chunks(99, b"", on=2) * (SERVER_BYTES // 12)), f"sends more than {SERVER_BYTES} bytes"),
    ],
)
async def test_a_server_that_never_lets_it_publish(talk: Talk, words: str) -> None:
    async with speaking(talk) as port, Push(port, limits=SHORT) as push:
        reason = await push.state("waiting")
        assert words in reason or (words.startswith("the server closed") and "lost" in reason)
        assert [state for state, _ in push.states] == ["connecting", "waiting"]


async def test_a_server_that_does_not_speak_tls(contexts: Contexts) -> None:  # noqa: F811
    async with speaking(says()) as port, Push(port, context=contexts[1], limits=SHORT) as push:
        assert "did not answer within 1 s" in await push.state("waiting")
    async with speaking(says(HELLO)) as port, Push(port, context=contexts[1], limits=SHORT) as push:
        assert "cannot be reached" in await push.state("waiting")


async def test_a_server_that_floods_while_it_listens() -> None:
    flood = chunks(99, b"", on=2) * (2 * SERVER_BYTES // 12)
    async with speaking(says(HELLO, CONNECTED, CREATED, STARTED + flood)) as port, Push(port, limits=SHORT) as push:
        assert f"sends more than {SERVER_BYTES} bytes" in await push.state("waiting")


async def test_a_server_that_stops_reading_is_given_up_and_little_piles_up() -> None:
    async with Server.listening() as server:
        async with Push(server.port, limits=SHORT) as push:
            await push.state("live")
            [receiver] = server.receivers
            receiver.stop_reading()
            connection = push.egress._connection
            assert connection is not None
            highest, given = 0, 0
            # Whether it is ready is not looked at, as where another output of the same encoder is.
            while push.egress.state == "live":
                push.egress.send(large(given, keyframe=given % 25 == 0))
                given += 1
                await asyncio.sleep(0.001)
                highest = max(highest, connection._transport.get_write_buffer_size() if connection._transport else 0)
            assert "took nothing of what it was sent for 0.5 s" in await push.state("waiting")
            assert not push.egress.ready
        assert MIN_BACKLOG < highest < MAX_BACKLOG + 2 * 101_000
        assert push.egress.dropped > 0


async def test_a_server_that_is_slow_for_a_while_gets_the_next_keyframe() -> None:
    async with Server.listening() as server:
        async with Push(server.port) as push:
            await push.state("live")
            [receiver] = server.receivers
            await push.feed(large(number, keyframe=number % 25 == 0) for number in range(26))
            receiver.stop_reading()
            number = 26
            while push.egress.ready:
                push.egress.send(large(number))
                number += 1
                await asyncio.sleep(0)
            first_dropped = number
            for _ in range(3):
                push.egress.send(large(number))
                number += 1
            await until(lambda: push.egress.dropped == 3)
            receiver.connection._transport.resume_reading()
            await until(lambda: push.egress.ready)
            push.egress.send(large(number))
            await push.feed([large(number + 1, keyframe=True), large(number + 2)])
            assert push.egress.dropped == 4
        await until(lambda: receiver.reason)
    times = [time for kind, time, body in receiver.got if kind == "video" and body[1]]
    assert times == [40 * each for each in (*range(first_dropped), number + 1, number + 2)]


async def test_a_server_that_stops_reading_does_not_hold_up_the_end() -> None:
    async with Server.listening() as server, Push(server.port, limits=SHORT) as push:
        await push.state("live")
        server.receivers[0].stop_reading()
        number = 0
        while push.egress.ready:
            push.egress.send(large(number, keyframe=not number))
            number += 1
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await push.egress.close("enough")
        assert push.states[-1] == ("ended", "enough")


async def test_nobody_at_the_address() -> None:
    async with speaking(says()) as port:
        pass
    async with Push(port, limits=SHORT) as push:
        assert "cannot be reached" in await push.state("waiting")
