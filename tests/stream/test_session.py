"""Whole streams: a client's pictures out and back over ICE, DTLS and SRTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Awaitable, Callable, Iterator

import pylibsrtp
import pytest
from aioice import stun
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket

from signaling.errors import Conflict, Unacceptable, Unavailable
from stream.errors import UnknownStream
from stream.load import LEVELS
from stream.viewer import Viewer
from tests.keys import NOBODY
from tests.stream.client import PATIENCE
from tests.stream.conftest import House
from transforms.base import Settings, Transform
from transforms.chain import Step
from transforms.errors import ModelUnavailable
from transforms.frame import Frame
from transforms.registry import AnyTransform

Open = Callable[..., Awaitable[House]]


class Level(Settings):
    luma: int = 235
    broken: str = ""


class White(Transform[Level]):
    """Makes pictures of one luma."""

    title = "White"
    summary = "For tests."
    settings_type = Level
    alive = 0

    def prepare(self) -> None:
        if self.settings.broken == "model":
            raise ModelUnavailable("model 'x' could not be fetched; try again")
        if self.settings.broken:
            raise RuntimeError("broken")
        White.alive += 1

    def process(self, frame: Frame) -> Frame:
        frame.writable().y.fill_(self.settings.luma)
        return frame

    def close(self) -> None:
        if not self.settings.broken:
            White.alive -= 1


@pytest.fixture
def white(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[White]]:
    def load(key: str) -> type[AnyTransform]:
        assert key == "white"
        return White

    monkeypatch.setattr("transforms.registry.load", load)
    yield White
    assert White.alive == 0


def steps(**settings: object) -> list[Step]:
    return [Step("white", Level.model_validate(settings))]


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_a_clients_pictures_come_back(open_house: Open, codec: str) -> None:
    house = await open_house()
    client = house.client(codec)
    await client.connect(house.sessions, "one")
    await client.more(10)
    lumas = set()
    for _ in range(3):
        await client.more(1)
        lumas.add(client.luma)
    assert len(lumas) > 1
    assert all(min(abs(luma - sent) for sent in range(32, 217, 8)) <= 4 for luma in lumas)
    report = house.streams.report("one")
    assert (report.state, report.codec_out, report.width_out, report.height_out) == ("live", codec, 160, 120)
    assert report.publisher is not None
    assert (report.publisher.codec, report.publisher.width, report.publisher.height) == (codec, 160, 120)
    assert report.latency_ms["total"].p50 > 0
    assert report.fps_out > 0


async def test_a_busy_machine_is_told_of(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(1)
    assert house.load._frames >= 1
    house.load.level = len(LEVELS) - 1
    await client.more(5)
    report = house.streams.report("one")
    assert report.load_level == house.metrics.registry.get_sample_value("doppel_load_level") == len(LEVELS) - 1
    assert report.drops["busy_machine"] >= 5


async def test_sound_comes_back(open_house: Open) -> None:
    house = await open_house()
    client = house.client(sound=True)
    await client.connect(house.sessions, "one")
    await client.more(2)
    await client.until(lambda: any(sound.to_ndarray().max() > 4000 for sound in client.sounds[-10:]))


async def test_the_size_may_change(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(3)
    client.camera.width, client.camera.height = 96, 128
    await client.until(lambda: (client.pictures[-1].width, client.pictures[-1].height) == (96, 128))
    await client.more(3)
    assert house.streams.report("one").width_out == 96


async def test_the_chain_changes_while_it_runs(open_house: Open, white: type[White]) -> None:
    house = await open_house()
    client = house.client()
    await client.connect(house.sessions, "one", steps(luma=230))
    await client.more(1)
    assert abs(client.luma - 230) <= 4
    await house.streams.set_chain("one", steps(luma=20))
    await client.until(lambda: abs(client.luma - 20) <= 4)
    await house.streams.set_chain("one", [])
    await client.until(lambda: 30 <= client.luma <= 220)
    assert house.streams.steps("one") == []


async def test_a_keyframe_is_sent_when_one_is_asked_for(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(5)
    before = sum(house.keyframes)
    (ssrc,) = {int(line[7:].split()[0]) for line in client.answer.splitlines() if line.startswith("a=ssrc:")} - {
        int(line.split()[2]) for line in client.answer.splitlines() if line.startswith("a=ssrc-group:FID")
    }
    await client.video.receiver._send_rtcp_pli(ssrc)
    await client.until(lambda: sum(house.keyframes) > before)
    await client.more(5)
    assert sum(house.keyframes) == before + 1


async def test_a_receivers_estimate_is_kept_within_bounds(open_house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await open_house(max_bitrate=2_000_000)
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(2)
    audience = house.streams.get("one")._audience
    (viewer,) = audience.viewers
    for estimate, kept in ((1, 150_000), (10**9, 2_000_000), (700_000, 700_000)):
        monkeypatch.setattr(Viewer, "estimate", estimate)
        audience.estimated(viewer)
        assert [rendition.target_kbps * 1000 for rendition in house.streams.report("one").renditions] == [kept]


async def test_a_client_that_hangs_up_ends_its_stream(open_house: Open) -> None:
    house = await open_house(silence_timeout=60)
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(1)
    await client.close()
    await house.empty()


async def test_a_client_that_vanishes_is_gone_after_the_silence(open_house: Open, white: type[White]) -> None:
    house = await open_house(silence_timeout=0.5)
    client = house.client()
    await client.connect(house.sessions, "one", steps())
    await client.more(1)
    await client.vanish()
    await house.empty()


async def test_a_client_that_never_comes_is_gone_after_the_deadline(open_house: Open, white: type[White]) -> None:
    house = await open_house(connect_timeout=0.3)
    client = house.client()
    await client.offer(house.sessions, "one", steps())
    assert house.streams.report("one").state == "connecting"
    await house.empty()
    with pytest.raises(UnknownStream):
        house.streams.report("one")


async def test_a_client_of_another_certificate_gets_nothing(open_house: Open) -> None:
    house = await open_house(connect_timeout=3)
    client = house.client()
    await client.connection.setLocalDescription(await client.connection.createOffer())
    sdp = client.connection.localDescription.sdp
    before = next(line for line in sdp.splitlines() if line.startswith("a=fingerprint:sha-256"))
    forged = before[:-2] + ("00" if before[-2:] != "00" else "11")
    session = await house.sessions.loop("one", sdp.replace(before, forged), [], NOBODY)
    client.answer = session.answer
    await client.accept()
    await house.empty()
    assert client.pictures == []


async def test_a_name_is_taken_until_its_session_ends(open_house: Open) -> None:
    house = await open_house()
    client, other = house.client(), house.client()
    session = await client.connect(house.sessions, "one")
    await client.more(1)
    with pytest.raises(Conflict, match="has a publisher"):
        await other.offer(house.sessions, "one")
    await house.sessions.end(session.id)
    await house.sessions.end(session.id)
    await other.connect(house.sessions, "one")
    await other.more(1)


async def test_to_disconnect_waits_for_an_end_that_has_begun(open_house: Open) -> None:
    """As on a page's reload: it hangs up, ends its session, and comes again under the same name."""
    house = await open_house()
    client, again = house.client(), house.client()
    session = await client.connect(house.sessions, "one")
    await client.more(1)
    stream = house.streams.get("one")
    ending = house.streams.end(stream, "it hung up")
    await asyncio.sleep(0)
    await house.sessions.end(session.id)
    assert ending.done()
    await again.connect(house.sessions, "one")
    await again.more(1)


async def test_who_hangs_up_on_the_door_does_not_stop_the_end(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    session = await client.connect(house.sessions, "one")
    await client.more(1)
    disconnecting = asyncio.create_task(house.sessions.end(session.id))
    await asyncio.sleep(0)
    disconnecting.cancel()
    await house.empty()


async def test_there_is_room_for_so_many_streams(open_house: Open) -> None:
    house = await open_house(max_streams=1, connect_timeout=0.5)
    client, other = house.client(), house.client()
    await client.offer(house.sessions, "one")
    with pytest.raises(Unavailable, match="as many streams as it may"):
        await other.offer(house.sessions, "two")


@pytest.mark.parametrize(("broken", "kind"), [("model", Unavailable), ("yes", Unacceptable)])
async def test_a_chain_that_cannot_be_prepared_leaves_nothing(
    open_house: Open, white: type[White], broken: str, kind: type[Exception]
) -> None:
    house = await open_house()
    with pytest.raises(kind):
        await house.client().offer(house.sessions, "one", steps(broken=broken))
    assert house.names == []


async def test_addresses_that_cannot_be_bound_leave_nothing(open_house: Open, white: type[White]) -> None:
    house = await open_house()
    object.__setattr__(house.streams._engine.peers, "addresses", ["192.0.2.1"])
    with pytest.raises(Unavailable, match="--ice-address"):
        await house.client().offer(house.sessions, "one", steps())
    assert house.names == []


async def test_an_offer_that_is_given_up_while_it_is_answered_leaves_nothing(open_house: Open, white: type[White]) -> None:
    house = await open_house()
    client = house.client()
    await client.connection.setLocalDescription(await client.connection.createOffer())
    for turns in range(6):
        connecting = asyncio.create_task(house.sessions.loop("one", client.connection.localDescription.sdp, steps(), NOBODY))
        for _ in range(turns * 3):
            await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled() and connecting.exception() is None:
            await house.sessions.end(connecting.result().id)
        await house.empty()


async def test_a_server_that_shuts_down_ends_its_streams(open_house: Open, white: type[White]) -> None:
    house = await open_house()
    clients = [house.client(), house.client("VP8")]
    for number, client in enumerate(clients):
        await client.connect(house.sessions, f"stream-{number}", steps())
    for client in clients:
        await client.more(1)
    await house.streams.close()
    assert house.names == []
    with pytest.raises(Unavailable, match="shutting down"):
        await house.client().offer(house.sessions, "late")


def rubbish(chance: random.Random) -> list[bytes]:
    """What anybody may send to an open port."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = "somebody:else"
    forged = bytes(request)
    request.add_message_integrity(b"guessed")
    malformed = bytearray(b"\0\1\0\6\x21\x12\xa4\x42" + bytes(12) + b"\0\x24\0\2ab")  # PRIORITY of two bytes
    return [
        *(chance.randbytes(size) for size in (1, 2, 11, 12, 13, 19, 20, 100, 1400, 60_000) for _ in range(5)),
        *(bytes((first,)) + chance.randbytes(60) for first in range(0, 256, 3)),
        forged,
        bytes(request),
        bytes(malformed),
        b"\x80\x60" + bytes(10) + b"not encrypted",
        b"\x80\xc8\0\6" + bytes(24),
        b"\x16\xfe\xfd" + chance.randbytes(100),  # a DTLS handshake
        b"\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\2\2\x28",  # a DTLS alert, fatal
        b"",
    ]


async def test_rubbish_at_the_port_disturbs_nobody(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in rubbish(random.Random(1)):
            for port in client.ports:
                stranger.sendto(data, ("127.0.0.1", port))
            await asyncio.sleep(0.001)
    await client.more(3)
    assert house.faults == []


async def test_rubbish_before_the_peer_comes_disturbs_nobody(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    await client.offer(house.sessions, "one")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in rubbish(random.Random(2)):
            for port in client.ports:
                stranger.sendto(data, ("127.0.0.1", port))
            await asyncio.sleep(0.001)
    await client.accept()
    await client.more(1)
    assert house.faults == []


async def test_a_stranger_does_not_keep_a_stream_alive(open_house: Open) -> None:
    house = await open_house(silence_timeout=0.5)
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(1)
    ports = client.ports
    await client.vanish()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        async with asyncio.timeout(PATIENCE):
            while house.names:
                for port in ports:
                    stranger.sendto(b"\x80\x60" + bytes(60), ("127.0.0.1", port))
                await asyncio.sleep(0.02)


async def test_rubbish_from_the_peer_itself_disturbs_nobody(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(1)
    chance = random.Random(3)
    payload_type = int(next(line for line in client.answer.splitlines() if line.startswith("m=video")).split()[3])
    sequence = 0
    for _ in range(200):
        sequence += chance.choice([1, 1, 2, 700, 65_000])
        body = chance.randbytes(chance.randint(0, 60))
        ssrc = chance.choice([1, 2, 3]).to_bytes(4)
        first = bytes((0x80 | chance.choice([0, 0, 0x10, 0x20, 0x3F]), chance.choice([payload_type, payload_type + 1]) | 0x80))
        with contextlib.suppress(pylibsrtp.Error):  # what libsrtp itself would not send
            await client.dtls._send_rtp(first + (sequence & 0xFFFF).to_bytes(2) + bytes(4) + ssrc + body)
        kind = chance.choice([200, 201, 202, 203, 204, 205, 206, 207])
        words = chance.randint(0, 8)
        report = bytes((0x80 | chance.randrange(32), kind)) + words.to_bytes(2) + chance.randbytes(4 * words)
        with contextlib.suppress(pylibsrtp.Error):
            await client.dtls._send_rtp(report)
    for fci in (b"REMB", b"REMB\xff\0\0\0", b""):
        await client.dtls._send_rtp(bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci)))
    await asyncio.sleep(0.1)
    assert house.faults == []
    assert house.streams.report("one").state == "live"


async def test_clients_come_and_go_nicely_and_rudely(open_house: Open, white: type[White]) -> None:
    house = await open_house(silence_timeout=0.5, connect_timeout=5, max_streams=20)

    async def cycle(number: int) -> None:
        client = house.client("VP8" if number % 2 else "H264")
        session = await client.connect(house.sessions, f"cycle-{number}", steps() if number % 4 == 0 else [])
        await client.more(1)
        match number % 3:
            case 0:
                await house.sessions.end(session.id)
            case 1:
                await client.close()
            case _:
                await client.vanish()

    for begin in range(0, 20, 4):
        await asyncio.gather(*(cycle(number) for number in range(begin, begin + 4)))
    await house.empty()
