"""An aiortc client of ``POST /loop``, on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from types import TracebackType

import aiohttp
import aioice.ice
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

TIMEOUT = 15.0
"""s for anything that a client waits for: a busy machine's second, many times."""


def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiortc's clients gather every address but 127.0.0.1; in tests they are to gather it and no other."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


class Stripes(VideoStreamTrack):
    """Grey pictures that get lighter and darker, 30 a second."""

    def __init__(self, width: int = 320, height: int = 240) -> None:
        super().__init__()
        self.size = (width, height)
        self._count = 0

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        width, height = self.size
        self._count += 1
        frame = VideoFrame.from_ndarray(np.full((height * 3 // 2, width), 40 + self._count * 3 % 160, np.uint8), "yuv420p")
        frame.pts, frame.time_base = pts, Fraction(time_base.numerator, time_base.denominator)
        return frame


class LoopClient:
    """One peer; leaving the context closes what is left of it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        stream: str,
        track: MediaStreamTrack | None = None,
        configuration: RTCConfiguration | None = None,
    ) -> None:
        self._session = session
        self._url = url
        self.stream = stream
        self.location = ""
        self.links: list[str] = []
        """Link headers of the answer."""
        self.peer = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
        self.peer.addTrack(track or Stripes())
        self._remote: MediaStreamTrack | None = None
        self.peer.on("track", self._on_track)

    async def __aenter__(self) -> LoopClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.peer.close()

    async def offer_only(self, chain: str = "") -> str:
        """Posts an offer and does nothing with the answer, which is returned."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        async with self._session.post(
            f"{self._url}/loop/{self.stream}",
            params={"chain": chain} if chain else {},
            data=self.peer.localDescription.sdp,
            headers={"Content-Type": "application/sdp"},
        ) as response:
            answer = await response.text()
            assert response.status == 201, answer
            self.location = response.headers["Location"]
            self.links = response.headers.getall("Link", [])
            return answer

    async def connect(self, chain: str = "") -> None:
        answer = await self.offer_only(chain)
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def frames(self, count: int) -> list[VideoFrame]:
        """The next so many frames that come back."""
        assert self._remote is not None
        frames: list[VideoFrame] = []
        async with asyncio.timeout(TIMEOUT):
            while len(frames) < count:
                frame = await self._remote.recv()
                assert isinstance(frame, VideoFrame)
                frames.append(frame)
        return frames

    async def delete(self) -> None:
        async with self._session.delete(self._url + self.location) as response:
            assert response.status == 200

    async def ended(self) -> None:
        """Waits until the server has ended the video."""
        assert self._remote is not None
        async with asyncio.timeout(TIMEOUT):
            while True:
                try:
                    await self._remote.recv()
                except MediaStreamError:
                    return

    async def vanish(self) -> None:
        """Closes the sockets without a word to the server."""
        for transceiver in self.peer.getTransceivers():
            connection = transceiver.sender.transport.transport._connection
            for protocol in connection._protocols:
                protocol.transport.abort()

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._remote = track
