"""What holds for every way in and out: the promises of ``stream.ingest.Ingest`` and ``stream.egress.Egress``.

A new protocol is one module in either package; it is found here by itself, and needs one entry below that makes one.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints
from unittest import mock

import pytest

import stream.egress
import stream.ingest
from stream.codec import VideoEncoder
from stream.egress import Egress
from stream.egress.recording import QUEUE_ITEMS, RecordingEgress
from stream.egress.rtmp import RtmpPushEgress
from stream.egress.webrtc import WebRtcEgress
from stream.ingest import Ingest
from stream.ingest.media import MediaIngest
from stream.ingest.rtmp import RtmpIngest
from stream.ingest.webrtc import WebRtcIngest
from stream.limits import DELIVERIES
from stream.media.source import Source
from stream.picture import EncodedPicture
from stream.rtc.parameters import Media, VideoParameters
from stream.rtc.payload import FORMATS
from stream.rtc.peer import PeerConfig
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.errors import Refused
from stream.rtmp.limits import RtmpLimits
from stream.rtmp.push_connection import PushConnection
from stream.rtmp.session import Sink
from stream.sound.packet import SoundPacket
from tests.stream.pictures import frame

VIDEO = VideoParameters("0", receive=True, send=True, codecs={96: "H264"}, rtx={})


def webrtc_ingest() -> Ingest:
    return WebRtcIngest(PeerConfig(["127.0.0.1"]), Media(VIDEO), "loop")


def rtmp_ingest() -> Ingest:
    async def nobody(request: PublishRequest, connection: Connection) -> Sink:
        raise Refused("nobody publishes here")

    connection = Connection(nobody, RtmpLimits())
    connection.connection_made(mock.create_autospec(asyncio.Transport, instance=True))
    return RtmpIngest(connection, on_video=lambda _: None)


def media_ingest() -> Ingest:
    return MediaIngest(Source("/nowhere/a.mp4", "a.mp4", "file"), on_video=lambda _: None)


def webrtc_egress() -> Egress:
    return WebRtcEgress("H264")


def rtmp_egress() -> Egress:
    egress = RtmpPushEgress("rtmp://127.0.0.1/live/me")
    egress._began(mock.create_autospec(PushConnection, instance=True, full=False))
    return egress


def recording_egress() -> Egress:
    return RecordingEgress(Path(tempfile.mkdtemp()) / "a.mp4", on_failed=lambda _: None)


INGESTS: dict[str, Callable[[], Ingest]] = {"media": media_ingest, "rtmp": rtmp_ingest, "webrtc": webrtc_ingest}
EGRESSES: dict[str, Callable[[], Egress]] = {"recording": recording_egress, "rtmp": rtmp_egress, "webrtc": webrtc_egress}


def modules(package: Any) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(package.__path__)]


def members(protocol: type) -> set[str]:
    names = {name for name in vars(protocol) if not name.startswith("_")} | set(get_type_hints(protocol))
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize(("package", "protocol", "made"), [(stream.ingest, Ingest, INGESTS), (stream.egress, Egress, EGRESSES)])
def test_each_module_defines_one_and_says_here_how_to_make_it(package: Any, protocol: type, made: dict[str, object]) -> None:
    assert set(modules(package)) == set(made)
    methods = [name for name in members(protocol) if inspect.isfunction(getattr(protocol, name, None))]
    for name in modules(package):
        module = importlib.import_module(f"{package.__name__}.{name}")
        classes = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__]
        fitting = [kind for kind in classes if all(hasattr(kind, method) for method in methods)]
        assert len(fitting) == 1, f"{module.__name__} defines {len(fitting)} of {protocol.__name__}"
        for method in methods:
            ours, theirs = (inspect.signature(getattr(kind, method)) for kind in (fitting[0], protocol))
            assert list(ours.parameters) == list(theirs.parameters)


# ---- in


@pytest.fixture(params=sorted(INGESTS))
async def ingest(request: pytest.FixtureRequest) -> AsyncIterator[Ingest]:
    made = INGESTS[request.param]()
    yield made
    await made.close("the test is over")


async def test_an_ingest_names_its_protocol(ingest: Ingest) -> None:
    assert ingest.protocol
    assert ingest.protocol == ingest.protocol.lower()


async def test_a_keyframe_may_be_asked_for_by_any_thread_at_any_time(ingest: Ingest) -> None:
    await asyncio.to_thread(ingest.request_keyframe)
    ingest.request_keyframe()
    await asyncio.sleep(0)
    await ingest.close("for a reason")
    await asyncio.to_thread(ingest.request_keyframe)


async def test_an_ingest_may_be_closed_twice(ingest: Ingest) -> None:
    await ingest.close("for a reason")
    await ingest.close("for another")


@pytest.mark.parametrize("name", sorted(INGESTS))
def test_a_keyframe_may_be_asked_for_after_the_loop_has_ended(name: str) -> None:
    async def life() -> Ingest:
        made = INGESTS[name]()
        await made.close("the loop ends")
        return made

    asyncio.run(life()).request_keyframe()


# ---- out


def picture(codec: str) -> EncodedPicture:
    made = VideoEncoder(codec, 1_000_000).encode(frame(0))
    assert made is not None
    return made


@pytest.fixture(params=sorted(EGRESSES))
async def egress(request: pytest.FixtureRequest) -> AsyncIterator[Egress]:
    made = EGRESSES[request.param]()
    yield made
    await made.close("the test is over")


async def test_an_egress_names_a_codec_that_there_is(egress: Egress) -> None:
    assert egress.codec in FORMATS


async def test_an_egress_may_be_closed_twice(egress: Egress) -> None:
    await egress.close("for a reason")
    await egress.close("for another")


async def test_sound_may_come_before_pictures_and_after_the_end(egress: Egress) -> None:
    packet = SoundPacket(b"\xf8\xff\xfe", 960, "OPUS", b"", 0)
    egress.sound(packet)
    await egress.close("for a reason")
    egress.sound(packet)


@pytest.mark.parametrize("name", sorted(EGRESSES))
async def test_an_egress_that_is_given_more_than_it_can_take_says_so_and_is_ready_again_later(name: str) -> None:
    egress = EGRESSES[name]()
    made = picture(egress.codec)
    most = DELIVERIES if name != "recording" else QUEUE_ITEMS

    def fill() -> int:
        given = 0
        while egress.ready and given < 2 * QUEUE_ITEMS:
            egress.send(made)
            given += 1
        return given

    # The loop is held meanwhile, as by a burst of packets: nothing is taken.
    given = fill()
    assert 0 < given <= most
    async with asyncio.timeout(5):
        while not egress.ready:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await egress.close("the test is over")


async def test_pictures_are_sent_from_another_thread(egress: Egress) -> None:
    made = picture(egress.codec)
    await asyncio.to_thread(egress.send, made)
    await asyncio.sleep(0)
    assert egress.ready


@pytest.mark.parametrize("name", sorted(EGRESSES))
def test_a_picture_that_comes_after_the_loop_has_ended_is_let_go(name: str) -> None:
    async def life() -> Egress:
        return EGRESSES[name]()

    egress = asyncio.run(life())
    made = picture(egress.codec)
    for _ in range(3 * DELIVERIES):
        egress.send(made)
    assert egress.ready
    asyncio.run(egress.close("the test is over"))


async def test_all_peers_of_an_egress_get_the_same_payloads() -> None:
    """Encoded once and split once, however many watch."""
    got: list[tuple[int, object]] = []

    class Sender:
        ready = True
        last_timestamp = None
        sound_sender = None

        def __init__(self, number: int) -> None:
            self.number = number
            self.sender = self

        def send(self, payloads: object, timestamp: int, keyframe: bool) -> None:
            got.append((self.number, payloads))

    sent: list[EncodedPicture] = []
    egress = WebRtcEgress("H264", on_sent=lambda _, made: sent.append(made), clock=lambda: 7)
    senders = [Sender(1), Sender(2)]
    for sender in senders:
        egress.add(sender)  # type: ignore[arg-type]
    made = picture("H264")
    egress.send(made)
    await asyncio.sleep(0)
    assert [number for number, _ in got] == [1, 2]
    assert got[0][1] is got[1][1]
    assert [each.timeline.sent for each in sent] == [7]
    egress.remove(senders[0])  # type: ignore[arg-type]
    egress.remove(senders[0])  # type: ignore[arg-type]
    egress.send(made)
    await asyncio.sleep(0)
    assert [number for number, _ in got] == [1, 2, 2]
    got.clear()
    many = [Sender(number) for number in range(3, 11)]
    for sender in many:
        egress.add(sender)  # type: ignore[arg-type]
    egress.send(made)
    egress.send(replace(made, keyframe=False))
    await asyncio.sleep(0)
    egress.remove(many[7])  # type: ignore[arg-type]
    egress.add(senders[0])  # type: ignore[arg-type]
    # The loop was free in between.
    assert 2 <= len(got) < 9
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(sent) == 4
    assert sorted(number for number, _ in got) == sorted([*range(2, 10)] * 2)
    assert egress.ready
