"""A WebRTC client in the test's own process, over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDtlsTransport,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from signaling.section import Role
from signaling.sessions import Session, Sessions
from tests.keys import publisher
from transforms.chain import Step

PATIENCE = 15.0
"""s for something to happen on a busy machine before the test fails."""

RATE = 48_000


class Camera(MediaStreamTrack):
    """Flat pictures whose luma says when they were made: it goes up by 8 with each, from 32 to 216."""

    kind = "video"

    def __init__(self, fps: int = 25) -> None:
        super().__init__()
        self.width, self.height = 160, 120
        self._fps = fps
        self._number = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(1 / self._fps)
        if self.readyState != "live":
            raise MediaStreamError
        frame = VideoFrame(self.width, self.height, "yuv420p")
        for plane, code in zip(frame.planes, (32 + 8 * (self._number % 24), 110, 140), strict=True):
            plane.update(bytes((code,)) * plane.buffer_size)
        frame.pts, frame.time_base = self._number * 90_000 // self._fps, Fraction(1, 90_000)
        self._number += 1
        return frame


class Tone(MediaStreamTrack):
    """A sine of 440 Hz."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._position = 0

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(0.02)
        if self.readyState != "live":
            raise MediaStreamError
        at = (self._position + np.arange(960)) / RATE
        samples = (8000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._position, Fraction(1, RATE)
        self._position += 960
        return frame


class Client:
    """One peer connection. ``pictures`` and ``sounds`` grow as they come back."""

    def __init__(
        self, codec: str = "H264", *, sound: bool = False, fps: int = 25, role: Role = "loop", pictures: bool = True
    ) -> None:
        self.role = role
        self.pictures: list[VideoFrame] = []
        self.sounds: list[AudioFrame] = []
        self.answer = ""
        self.camera = Camera(fps)
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        direction = {"loop": "sendrecv", "publish": "sendonly", "watch": "recvonly"}[role]
        self._video: RTCRtpTransceiver | None = None
        if pictures:
            source = "video" if role == "watch" else self.camera
            self._video = self.connection.addTransceiver(source, direction=direction)
            wanted = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.name in (codec, "rtx")]
            self._video.setCodecPreferences(wanted)
        self._audio: RTCRtpTransceiver | None = None
        if sound:
            self._audio = self.connection.addTransceiver("audio" if role == "watch" else Tone(), direction=direction)

    @property
    def video(self) -> RTCRtpTransceiver:
        assert self._video is not None
        return self._video

    async def offer(
        self, sessions: Sessions, name: str, steps: Sequence[Step] | None = (), credential: str | None = None
    ) -> Session:
        """Offers, and keeps the answer to itself."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp = self.connection.localDescription.sdp
        if self.role == "loop":
            session = await sessions.loop(name, sdp, steps or (), publisher(credential))
        elif self.role == "publish":
            session = await sessions.publish(name, sdp, steps, publisher(credential))
        else:
            session = await sessions.watch(name, sdp, publisher(credential))
        self.answer = session.answer
        return session

    async def connect(
        self, sessions: Sessions, name: str, steps: Sequence[Step] | None = (), credential: str | None = None
    ) -> Session:
        session = await self.offer(sessions, name, steps, credential)
        await self.accept()
        return session

    async def accept(self) -> None:
        """Takes the answer."""
        await self.connection.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
        if self.role == "publish":
            return
        if self._video is not None:
            self._reads(self.video.receiver.track, self.pictures)
        if self._audio is not None:
            self._reads(self._audio.receiver.track, self.sounds)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for something to come back of which this is true."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                self._more.clear()
                await self._more.wait()

    async def more(self, count: int = 3) -> None:
        """Waits for so many more pictures."""
        enough = len(self.pictures) + count
        await self.until(lambda: len(self.pictures) >= enough)

    @property
    def luma(self) -> int:
        """Of the middle of the last picture."""
        picture = self.pictures[-1]
        plane = picture.planes[0]
        return memoryview(plane)[picture.height // 2 * plane.line_size + picture.width // 2]

    @property
    def loud(self) -> bool:
        """Whether something is heard."""
        return any(sound.to_ndarray().max() > 4000 for sound in self.sounds[-10:])

    @property
    def dtls(self) -> RTCDtlsTransport:
        section = self._video or self._audio
        assert section is not None
        return section.sender.transport

    @property
    def ports(self) -> list[int]:
        """Of the server's, as its answer says."""
        return [int(line.split()[5]) for line in self.answer.splitlines() if line.startswith("a=candidate:")]

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def vanish(self) -> None:
        """Its sockets are gone before it could say so."""
        await self.dtls.transport._connection.close()
        await self.close()

    def _reads(self, track: MediaStreamTrack, into: list[VideoFrame] | list[AudioFrame]) -> None:
        async def read() -> None:
            while True:
                try:
                    into.append(await track.recv())  # type: ignore[arg-type]
                except MediaStreamError:
                    return
                self._more.set()

        self._tasks.append(asyncio.create_task(read()))
