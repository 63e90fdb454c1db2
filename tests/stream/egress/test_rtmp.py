"""The push against our own server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from stream.egress.rtmp import RtmpPushEgress
from stream.limits import DELIVERIES, SECOND
from stream.picture import EncodedPicture
from stream.rtmp import tag_writer
from stream.rtmp.limits import STEADY, PushLimits
from stream.rtmp.video import VideoTrack
from stream.sound.aac_encoder import AacEncoder
from stream.sound.packet import CLOCK_RATE
from tests.stream.egress.pushing import KEY, TOKEN, Push, large
from tests.stream.egress.rtmp_servers import Receiver, Server, until
from tests.stream.pictures import encoded
from tests.stream.rtmp.test_tls import Contexts, contexts  # noqa: F401 - a fixture
from tests.stream.sound.test_aac_encoder import opus

BEGIN = 900_000
"""90 kHz: 10 s into the stream."""


@pytest.fixture(autouse=True)
def no_key_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("stream.rtmp.server"))
    assert KEY not in ours
    assert TOKEN not in ours


def pictures(count: int = 30, keyframes: int = 10) -> list[EncodedPicture]:
    return [replace(picture, pts=picture.pts + BEGIN, width=64, height=48) for picture in encoded(count, keyframes=keyframes)]


def received(receiver: Receiver) -> list[EncodedPicture]:
    track = VideoTrack()
    made = [track.picture(bytearray(body), time, 0) for kind, time, body in receiver.got if kind == "video"]
    return [picture for picture in made if picture is not None]


def units(picture: EncodedPicture) -> tuple[object, ...]:
    return (*tag_writer.access_unit(picture.data), picture.keyframe)


async def test_pictures_and_sound_arrive_as_they_were() -> None:
    sent, sound = pictures(), opus(60, start=BEGIN * 48 // 90)
    async with Server.listening() as server:
        async with Push(server.port) as push:
            await push.state("live")
            await push.feed(sent, sound)
            await push.egress.close("enough")
            assert push.states[-1] == ("ended", "enough")
        [receiver] = server.receivers
        await until(lambda: receiver.reason)
    assert receiver.reason == "the publisher ended its stream"
    assert (receiver.request.app, receiver.request.name, receiver.request.query) == ("live", KEY, f"token={TOKEN}")
    got = received(receiver)
    assert [units(picture) for picture in got] == [units(picture) for picture in sent]
    assert [picture.pts // 90 for picture in got] == [round(number * 100 / 3) for number in range(30)]
    assert push.egress.dropped == 0
    encoder = AacEncoder()
    aac = [made for packet in sound for made in encoder.encode(packet)]
    expected = [("audio", round((made.pts - BEGIN * 48 / 90) / 48), b"\xaf\1" + made.data) for made in aac]
    heard = [each for each in receiver.got if each[0] == "audio"]
    assert heard[0] == ("audio", heard[1][1], b"\xaf\0" + encoder.configuration)
    assert heard[1:] == [each for each in expected if each[1] >= 0]
    times = [time for _, time, _ in receiver.got]
    assert times[0] == 0
    assert times == sorted(times)
    assert receiver.properties[-1] == {
        "encoder": "doppel",
        "videocodecid": 7.0,
        "width": 64.0,
        "height": 48.0,
        "audiocodecid": 10.0,
        "audiosamplerate": 48_000.0,
        "audiosamplesize": 16.0,
        "stereo": True,
    }


async def test_over_tls(contexts: Contexts) -> None:  # noqa: F811
    sent = [large(number, 30_000, keyframe=not number) for number in range(20)]
    async with Server.listening(contexts[0]) as server:
        async with Push(server.port, context=contexts[1]) as push:
            await push.state("live")
            await push.feed(sent)
        [receiver] = server.receivers
        await until(lambda: receiver.reason)
        assert receiver.request.secure
    assert [units(picture) for picture in received(receiver)] == [units(picture) for picture in sent]


async def test_a_certificate_that_nobody_vouches_for_is_refused(contexts: Contexts) -> None:  # noqa: F811
    async with Server.listening(contexts[0]) as server:
        egress = RtmpPushEgress(f"rtmps://localhost:{server.port}/live/{KEY}", sleep=lambda _: asyncio.Event().wait())
        egress.start()
        await until(lambda: egress.state == "waiting")
        assert "certificate verify failed" in egress.reason.lower()
        await egress.close("enough")
        assert server.receivers == []


async def test_it_begins_at_a_keyframe_and_again_after_the_server_was_lost() -> None:
    sent = pictures(50)
    async with Server.listening() as server:
        async with Push(server.port, tries=2) as push:
            await push.state("live")
            await push.feed(sent[3:25])
            await until(lambda: len(server.receivers[0].got) > 1)
            server.receivers[0].connection.abort("the server falls over")
            reason = await push.state("waiting")
            assert "lost" in reason or "closed" in reason
            assert reason.endswith("; next try in 2 s")
            await push.state("live", 2)
            await push.feed(sent[25:42])
        second = server.receivers[1]
        await until(lambda: second.reason)
    assert [state for state, _ in push.states] == ["connecting", "live", "waiting", "connecting", "live", "ended"]
    assert [units(picture) for picture in received(second)] == [units(picture) for picture in sent[30:42]]
    assert [time for _, time, _ in second.got][:2] == [0, 0]
    # Up to the first keyframe of each.
    assert push.egress.dropped == 7 + 5


async def test_sound_from_before_the_server_was_lost_is_not_sent_after_it() -> None:
    sent, sound = pictures(60), opus(150, start=BEGIN * 48 // 90)
    late = [replace(packet, pts=packet.pts + 600 * CLOCK_RATE) for packet in sound]
    async with Server.listening() as server:
        async with Push(server.port, tries=2) as push:
            await push.state("live")
            await push.feed(sent[:30], sound[:49])
            server.receivers[0].connection.abort("the server falls over")
            await push.state("live", 2)
            # Ten minutes later, and sound comes before the first picture.
            await push.feed([], late[:20])
            await push.feed([replace(picture, pts=picture.pts + 600 * 90_000) for picture in sent[10:]], late[20:])
        second = server.receivers[1]
        await until(lambda: second.reason)
    assert [units(picture) for picture in received(second)] == [units(picture) for picture in sent[10:]]
    times = [time for _, time, _ in second.got]
    assert times == sorted(times)
    assert second.got[0][:2] == ("video", 0)
    assert times[-1] < 3000


async def test_whoever_is_refused_is_told_and_asks_again_later() -> None:
    async with Server.listening() as server:
        server.refusal = f"live/{KEY} is not yours"
        async with Push(server.port, tries=2) as push:
            reason = await push.state("refused")
            assert reason == (
                "the server refused the stream: NetStream.Publish.BadName: live/(key) is not yours; next try in 30 s"
            )
            await push.state("refused", 2)
            server.refusal = ""
    assert push.waits == [30, 30]
    assert server.receivers == []


async def test_tries_come_further_and_further_apart() -> None:
    async with Server.listening() as server:
        port = server.port
    async with Push(port, tries=7) as push:
        reason = await push.state("waiting", 7)
        assert reason.startswith(f"127.0.0.1, port {port} cannot be reached: ")
    assert push.waits == [2, 4, 8, 16, 30, 30, 30]


async def test_after_it_ran_for_long_the_next_failure_is_the_first() -> None:
    async with Server.listening() as server, Push(server.port, tries=5) as push:
        for number in range(4):
            await push.state("live", number + 1)
            push.now += int((STEADY if number == 2 else STEADY - 1) * SECOND)
            server.receivers[-1].connection.abort("the server falls over")
        await push.state("live", 5)
    assert push.waits == [2, 4, 2, 4]


async def test_it_is_ready_only_while_there_is_somebody_to_take_it() -> None:
    async with Server.listening() as server:
        push = Push(server.port)
        assert not push.ready()
        push.egress.send(large(0, keyframe=True))
        async with push:
            await push.state("live")
            assert push.ready()
            given = 0
            while push.ready():
                push.egress.send(large(given, 100, keyframe=True))
                given += 1
            assert given == DELIVERIES
            await until(lambda: push.ready())
        assert not push.ready()
    assert push.egress.dropped == 1


async def test_it_may_be_closed_twice_and_before_it_began() -> None:
    async with Server.listening() as server:
        push = Push(server.port)
        await push.egress.close("never mind")
        await push.egress.close("never mind")
        assert push.states == [("ended", "never mind")]
        async with Push(server.port) as second:
            await second.egress.close("too soon")
        assert second.states[-1] == ("ended", "too soon")


async def test_what_comes_after_the_end_is_let_go() -> None:
    async with Server.listening() as server:
        async with Push(server.port) as push:
            await push.state("live")
        push.egress.send(large(0, keyframe=True))
        for packet in opus(3):
            push.egress.sound(packet)
        await asyncio.sleep(0)
        assert push.egress.dropped == 1


def test_what_comes_after_the_loop_is_let_go() -> None:
    async def life() -> RtmpPushEgress:
        return RtmpPushEgress(f"rtmp://127.0.0.1/live/{KEY}")

    egress = asyncio.run(life())
    for number in range(3 * DELIVERIES):
        egress.send(large(number))
    assert egress._given == egress._taken


async def test_an_address_that_is_none_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="begins with rtmp"):
        RtmpPushEgress(f"http://127.0.0.1/live/{KEY}", limits=PushLimits())
