"""Lips and voice at a viewer: a clip in which a flash and a beep coincide, through the whole server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket

from stream.rtc.alignment import Mapping
from tests.e2e import flash_beep
from tests.e2e.flash_beep import LipSync, wall
from tests.e2e.server import Server
from tests.e2e.test_rtmp import Viewer
from tests.stream.rtmp.ffmpeg import FFMPEG

SECONDS = 14.0
"""Of the clip: a viewer's time to come, and flashes enough."""

FLASHES = 3

APART = 20.0
"""ms that lips and voice may be apart."""


class Watcher(Viewer):
    """Notes the sender's reports, by which browsers put sound and pictures together."""

    def __init__(self, url: str) -> None:
        super().__init__(url, {})
        self.mappings: dict[str, Mapping] = {}
        self._lips = LipSync()
        for line in self._lines:
            line.receiver._handle_rtcp_packet = self._noting(line.kind, line.receiver._handle_rtcp_packet)  # type: ignore[method-assign]

    def _noting(self, kind: str, handle):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        async def noted(packet: AnyRtcpPacket) -> None:
            if isinstance(packet, RtcpSrPacket):
                self.mappings[kind] = packet.sender_info.ntp_timestamp, packet.sender_info.rtp_timestamp
            await handle(packet)

        return noted

    def _mapping(self, kind: str) -> Mapping:
        """By the time stamps that aiortc gives frames, which begin with the first that it received."""
        (receiver,) = (line.receiver for line in self._lines if line.kind == kind)
        ntp, timestamp = self.mappings[kind]
        return ntp, timestamp - receiver._RTCRtpReceiver__timestamp_mapper._origin  # type: ignore[attr-defined]

    @property
    def differences(self) -> list[float]:
        """Of all that was received so far, ms; none before the reports are there."""
        if len(self.mappings) < 2:
            return []
        shown, heard = self._mapping("video"), self._mapping("audio")
        pictures, sounds = self.pictures.copy(), self.sounds.copy()
        self.pictures.clear()
        self.sounds.clear()
        for picture in pictures:
            plane = picture.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            assert picture.pts is not None
            self._lips.picture(wall(picture.pts, 90_000, shown), float(rows[: plane.height, : plane.width].mean()))
        for sound in sounds:
            samples = sound.to_ndarray().reshape(-1, sound.layout.nb_channels)[:, 0].astype(np.float32) / np.float32(32768)
            assert sound.pts is not None
            self._lips.sound(wall(sound.pts, 48_000, heard), samples)
        return self._lips.differences()


class Recorded(MediaStreamTrack):
    """Packets that were encoded before, each when it is due."""

    def __init__(self, kind: str, packets: Sequence[av.Packet[Any]], began: float) -> None:
        super().__init__()
        self.kind = kind
        self._packets = iter(packets)
        self._began = began

    async def recv(self) -> av.Packet[Any]:
        packet = next(self._packets, None)
        if packet is None or self.readyState != "live":
            raise MediaStreamError
        assert packet.pts is not None
        assert packet.time_base is not None
        await asyncio.sleep(max(0.0, self._began + float(packet.pts * packet.time_base) - asyncio.get_running_loop().time()))
        return packet


class Camera:
    """The clip from a browser, as aiortc has it: each stream with a clock of its own, and reports that say how they belong."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def publish(self, name: str) -> None:
        encoded = await asyncio.to_thread(flash_beep.packets, SECONDS)
        began = asyncio.get_running_loop().time() + 1
        for kind, packets in zip(("video", "audio"), encoded, strict=True):
            line = self._connection.addTransceiver(Recorded(kind, packets, began), direction="sendonly")
            if kind == "video":
                wanted = [codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.name in ("H264", "rtx")]
                line.setCodecPreferences(wanted)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer, headers = self._connection.localDescription.sdp, {"Content-Type": "application/sdp"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self._url}/whip/{name}", data=offer, headers=headers) as response,
        ):
            answer = await response.text()
            assert response.status == 201, answer
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        await self._connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("lips") / "log", ["--rtmp-port", "0"])
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
async def watcher(server: Server) -> AsyncIterator[Watcher]:
    watcher = Watcher(server.url)
    yield watcher
    await watcher.close()


@pytest.mark.parametrize("chain", ["", "?chain=anonymize"])
async def test_a_flash_and_its_beep_are_together(server: Server, watcher: Watcher, tmp_path: Path, chain: str) -> None:
    clip = tmp_path / "clip.flv"
    clip.write_bytes(flash_beep.flv(SECONDS))
    port = re.search(r"RTMP publishers may come to port (\d+)", server.log)
    assert port is not None, server.log
    name = f"lips{len(chain)}"
    publisher = await asyncio.create_subprocess_exec(
        *(FFMPEG, "-hide_banner", "-loglevel", "error", "-re", "-i", str(clip), "-c", "copy", "-f", "flv"),
        *("-flvflags", "no_duration_filesize", f"rtmp://127.0.0.1:{port[1]}/live/{name}{chain}"),
    )
    try:
        await watcher.watch(name)
        await watcher.until(lambda: len(watcher.differences) >= FLASHES)
    finally:
        if publisher.returncode is None:
            publisher.kill()
        await publisher.wait()
    together(watcher)


async def test_the_two_clocks_of_a_peer_are_put_together(server: Server, watcher: Watcher) -> None:
    publisher = Camera(server.url)
    try:
        await publisher.publish("peer")
        await watcher.watch("peer")
        # Reports come every second or so; what was before them was put by arrival.
        await watcher.until(lambda: len(watcher.differences) >= 2 * FLASHES)
    finally:
        await publisher.close()
    together(watcher)


def together(watcher: Watcher) -> None:
    found = watcher.differences[-FLASHES:]
    # On a busy machine the server leaves frames out, and a flash that lost its first is later by 33 ms; none is ever earlier.
    assert abs(max(found)) <= APART, found
