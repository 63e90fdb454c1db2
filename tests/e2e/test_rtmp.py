"""Broadcast software publishes by RTMP, and a viewer of another make watches by WHEP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from tests.certificate import self_signed
from tests.e2e.server import Server
from tests.stream.rtmp.ffmpeg import FFMPEG
from tests.stream.rtmp.media import FPS, Tag, tags
from tests.stream.rtmp.publisher import Publisher, media
from tests.stream.rtmp.test_server import HOSTILE

PATIENCE = 20.0
"""s for anything on a busy machine."""

KEY = "correct-horse-battery-staple"

STEP, LOWEST, RANGE = 8, 24, 192
"""Luma of ffmpeg's pictures: it rises by STEP with each, over RANGE codes, and begins anew."""

TONE = 1000
"""Hz."""

GROWTH = 2 << 20
"""bytes."""

ATTACKS = 3
"""What a stream beside them takes on a busy machine comes once, what an attack costs comes with each."""


class Viewer:
    """A WHEP viewer: aiortc, offering to receive picture and sound."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.pictures: list[VideoFrame] = []
        self.sounds: list[AudioFrame] = []
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.states: list[str] = []
        self._url, self._headers = url, headers
        self._session = ""
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._lines: list[RTCRtpTransceiver] = [
            self.connection.addTransceiver(kind, direction="recvonly") for kind in ("video", "audio")
        ]
        self.connection.on("connectionstatechange", lambda: self.states.append(self.connection.connectionState))

    async def watch(self, name: str) -> None:
        """Asks again for as long as the stream is not live."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        headers = self._headers | {"Content-Type": "application/sdp"}
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
            while True:
                url, offer = f"{self._url}/whep/{name}", self.connection.localDescription.sdp
                async with http.post(url, data=offer, headers=headers) as response:
                    text = await response.text()
                    if response.status == 201:
                        self._session = self._url + response.headers["Location"]
                        break
                    assert response.status == 409, text
                    await asyncio.sleep(0.2)
        await self.connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
        video, audio = (line.receiver.track for line in self._lines)
        self._tasks += [
            asyncio.create_task(self._read(video, self.pictures)),
            asyncio.create_task(self._read(audio, self.sounds)),
        ]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self._more.clear()
                await self._more.wait()

    async def more(self, pictures: int = 10, sounds: int = 10) -> None:
        """Waits for so many more."""
        enough = len(self.pictures) + pictures, len(self.sounds) + sounds
        await self.until(lambda: len(self.pictures) >= enough[0] and len(self.sounds) >= enough[1])

    async def size(self, width: int) -> None:
        """Waits for a picture of that width."""
        await self.until(lambda: bool(self.pictures) and self.pictures[-1].width == width)

    async def close(self) -> None:
        if self._session:
            async with aiohttp.ClientSession() as http, http.delete(self._session, headers=self._headers) as response:
                assert response.status in (200, 404)
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, track: MediaStreamTrack, into: list[VideoFrame] | list[AudioFrame]) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                into.append(await track.recv())  # type: ignore[arg-type]
                self._more.set()


class Ffmpeg:
    """ffmpeg, publishing pictures that can be told apart and a tone, as fast as they play."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def publish(cls, url: str, *options: str, size: str = "320x192") -> Ffmpeg:
        luma = f"geq=lum='{LOWEST}+mod(N*{STEP},{RANGE})':cb=120:cr=136"
        return cls(
            await asyncio.create_subprocess_exec(
                *(FFMPEG, "-hide_banner", "-loglevel", "error", "-threads", "1"),
                *("-re", "-f", "lavfi", "-i", f"color=size={size}:rate=25,{luma}"),
                *("-re", "-f", "lavfi", "-i", f"sine=frequency={TONE}:sample_rate=48000"),
                *("-t", "60", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"),
                *(*options, "-f", "flv", "-flvflags", "no_duration_filesize", url),
                stderr=asyncio.subprocess.PIPE,
            )
        )

    async def failed(self) -> str:
        """Waits until it gives up; returns what it says."""
        _, complaints = await asyncio.wait_for(self._process.communicate(), PATIENCE)
        assert self._process.returncode != 0
        return complaints.decode()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


class House:
    """A server that asks for a key, its ports, and who is there."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {KEY}"}
        self._viewers: list[Viewer] = []
        self._publishers: list[Ffmpeg] = []

    def port(self, protocol: str = "RTMP") -> int:
        found = re.search(rf"\b{protocol} publishers may come to port (\d+)", self.server.log)
        assert found is not None, self.server.log
        return int(found[1])

    async def publish(self, name: str, *options: str, token: str = KEY, size: str = "320x192", secure: bool = False) -> Ffmpeg:
        scheme, port = ("rtmps", self.port("RTMPS")) if secure else ("rtmp", self.port())
        url = f"{scheme}://127.0.0.1:{port}/live/{name}?token={token}"
        self._publishers.append(await Ffmpeg.publish(url, *options, size=size))
        return self._publishers[-1]

    async def watch(self, name: str) -> Viewer:
        viewer = Viewer(self.server.url, self.headers)
        self._viewers.append(viewer)
        await viewer.watch(name)
        return viewer

    async def report(self, name: str) -> dict[str, object]:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.server.url}/api/streams/{name}", headers=self.headers) as response,
        ):
            assert response.status == 200
            return dict(await response.json())

    async def close(self) -> None:
        for publisher in self._publishers:
            await publisher.kill()
        for viewer in self._viewers:
            await viewer.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("rtmp")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    for path, made in zip((certificate, key), self_signed(), strict=True):
        path.write_bytes(made)
    (folder / "access").write_text(KEY)
    server = Server(
        folder / "log",
        [
            *("--access-key-file", str(folder / "access"), "--rtmp-port", "0"),
            *("--rtmps-port", "0", "--tls-certificate", str(certificate), "--tls-key", str(key)),
        ],
    )
    try:
        yield server
    finally:
        assert KEY not in server.log
        server.kill()


@pytest.fixture
async def house(running: Server) -> AsyncIterator[House]:
    house = House(running)
    yield house
    await house.close()


def luma(picture: VideoFrame) -> int:
    """Of its middle."""
    plane = picture.planes[0]
    return memoryview(plane)[picture.height // 2 * plane.line_size + picture.width // 2]


def steps(pictures: list[VideoFrame]) -> list[int]:
    """From each picture to the next, as a count of ffmpeg's; more than half a round is a step back."""
    numbers = [round((luma(picture) - LOWEST) / STEP) for picture in pictures]
    rounds = RANGE // STEP
    return [(after - before + rounds // 2) % rounds - rounds // 2 for before, after in itertools.pairwise(numbers)]


def pitch(sounds: list[AudioFrame]) -> float:
    """Hz of the strongest tone."""
    left = np.concatenate([sound.to_ndarray().reshape(-1, len(sound.layout.channels))[:, 0] for sound in sounds])
    assert np.abs(left).max() > 500
    strength = np.abs(np.fft.rfft(left * np.hanning(len(left))))
    return float(strength.argmax() * sounds[0].sample_rate / len(left))


async def test_ffmpeg_is_seen_and_heard(house: House) -> None:
    await house.publish("plain", "-bf", "0")
    viewer = await house.watch("plain")
    await viewer.more(50, 60)
    assert (viewer.pictures[-1].width, viewer.pictures[-1].height) == (320, 192)
    moves = steps(viewer.pictures[-40:])
    assert min(moves) >= 0, moves
    assert sum(moves) >= 30, moves
    assert pitch(viewer.sounds[-40:]) == pytest.approx(TONE, abs=10)
    report = await house.report("plain")
    publisher = report["publisher"]
    assert isinstance(publisher, dict)
    assert (publisher["protocol"], publisher["codec"], publisher["width"]) == ("rtmp", "H264", 320)


async def test_b_frames_are_seen_in_their_order(house: House) -> None:
    await house.publish("ordered", "-preset", "veryfast", "-bf", "3", "-b_strategy", "0", "-x264-params", "b-pyramid=normal")
    viewer = await house.watch("ordered")
    await viewer.more(60)
    moves = steps(viewer.pictures[-50:])
    assert min(moves) >= 0, moves
    assert sum(moves) >= 40, moves


async def test_a_wrong_token_is_refused_in_words(house: House) -> None:
    publisher = await house.publish("refused", token="wrong-horse")
    assert "this needs a key or a token" in await publisher.failed()


async def test_a_chain_that_there_is_not_is_refused_in_words(house: House) -> None:
    publisher = await house.publish("refused", token=f"{KEY}&chain=anonymise")
    assert "anonymise" in await publisher.failed()


async def test_who_comes_back_takes_over_and_viewers_stay(house: House) -> None:
    first = await house.publish("back", "-bf", "0")
    viewer = await house.watch("back")
    await viewer.more()
    await first.kill()
    await asyncio.sleep(2)  # as OBS waits
    await house.publish("back", "-bf", "2", size="480x272")
    await viewer.size(480)
    await viewer.more()
    assert pitch(viewer.sounds[-10:]) == pytest.approx(TONE, abs=25)
    assert viewer.states[-1] == "connected"
    assert set(viewer.states) <= {"connecting", "connected"}


async def test_a_second_publisher_with_the_same_token_takes_over_from_a_live_one(house: House) -> None:
    first = await house.publish("over", "-bf", "0")
    viewer = await house.watch("over")
    await viewer.more()
    await house.publish("over", "-bf", "0", size="480x272")
    assert "another publisher took over" in await first.failed()
    await viewer.size(480)
    await viewer.more()
    assert viewer.states[-1] == "connected"


async def test_rtmps(house: House) -> None:
    await house.publish("secure", "-bf", "0", secure=True)
    viewer = await house.watch("secure")
    await viewer.more(20)
    assert min(steps(viewer.pictures[-15:])) >= 0


async def play(publisher: Publisher, given: tuple[Tag, ...], pictures: int) -> None:
    """Sends the same tags over and over, as fast as they play, as one stream."""
    loop = asyncio.get_running_loop()
    began, turn = loop.time(), 0
    while True:
        for tag in given:
            time = tag.time + turn * pictures * 1000 // FPS
            if tag.kind != 18:
                await asyncio.sleep(max(0.0, began + time / 1000 - loop.time()))
                await publisher.send(media((tag._replace(time=time),), size=4096))
        turn += 1


class Playing:
    """A publisher of tags, over and over, for as long as it is entered; then its line is cut."""

    def __init__(self, house: House, name: str, given: tuple[Tag, ...], pictures: int) -> None:
        self._house, self._name, self._given, self._pictures = house, name, given, pictures

    async def __aenter__(self) -> None:
        self._publisher = await Publisher.open(self._house.port())
        status = await self._publisher.publish(f"{self._name}?token={KEY}")
        assert status["code"] == "NetStream.Publish.Start", status
        self._task = asyncio.create_task(play(self._publisher, self._given, self._pictures))

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._publisher.close()


@pytest.mark.parametrize(("video", "audio"), [("HEVC", "OPUS"), ("HEVC", "AAC"), ("AV1", "OPUS"), ("VP9", "OPUS")])
async def test_enhanced_codecs_are_seen(house: House, video: str, audio: str) -> None:
    name = f"{video}-{audio}"
    async with Playing(house, name, tags(video, audio, 24), 24):
        viewer = await house.watch(name)
        await viewer.more(30, 30)
        assert len({luma(picture) for picture in viewer.pictures[-24:]}) > 12
        report = await house.report(name)
        assert isinstance(report["publisher"], dict)
        assert report["publisher"]["codec"] == video


async def test_publishers_of_any_codec_and_size_come_and_go_before_one_viewer(house: House) -> None:
    turns = [("H264", 160), ("HEVC", 320), ("VP9", 160), ("H264", 256), ("AV1", 320), ("HEVC", 160)]
    viewer: Viewer | None = None
    for video, width in turns:
        async with Playing(house, "turns", tags(video, "AAC", 24, width), 24):
            viewer = viewer or await house.watch("turns")
            await viewer.size(width)
            await viewer.more(8, 8)
    assert viewer is not None
    assert set(viewer.states) <= {"connecting", "connected"}


async def test_hostile_clients_cost_no_memory_and_leave_a_stream_beside_them_alone(house: House) -> None:
    await house.publish("beside", "-bf", "0")
    viewer = await house.watch("beside")
    await viewer.more(25)
    await attack(house.port())  # what is made on first use counts for nobody
    before, grown = len(viewer.pictures), GROWTH
    for _ in range(ATTACKS):
        memory = house.server.memory()
        await attack(house.port())
        await viewer.more(10)
        grown = house.server.memory() - memory
        if grown < GROWTH:
            break
    assert grown < GROWTH
    report = await house.report("beside")
    assert report["state"] == "live"
    assert isinstance(report["drops"], dict)
    assert "undecodable" not in report["drops"]
    assert min(steps(viewer.pictures[before:])) >= 0
    assert viewer.states[-1] == "connected"


async def attack(port: int) -> None:
    """All at once, until the server has turned each away."""

    async def one(data: bytes) -> None:
        publisher = await Publisher.open(port)
        with contextlib.suppress(ConnectionError):
            await publisher.send(data)
        with contextlib.suppress(ConnectionError):
            while await publisher._reader.read(65536):
                pass
        await publisher.close()

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(one(data) for data in HOSTILE.values()))
