"""One peer connection of a session: from its offer to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import av
import av.frame
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamError

from doppel.client.endpoint import Answer, Endpoint
from doppel.client.errors import ClientError

CONNECT_TIMEOUT = 15.0
"""s from the answer to the connection: ICE and DTLS take under 1 s on any line that will work."""

CHECK_INTERVAL = 3.0
"""s between two questions whether the server still knows the session: after a restart it takes consent checks 30 s to tell."""

CLOSE_TIMEOUT = 5.0
"""s for aiortc to close; then the connection is left to itself."""

Frame: TypeAlias = "av.frame.Frame | av.Packet[Any]"
"""What a track hands out: a VideoFrame or an AudioFrame, or from a caller's own track what it encoded itself."""


class Connection:
    """Sends ``tracks``, which stay the caller's, and with ``on_frame`` receives a track of each kind."""

    def __init__(self, tracks: Sequence[MediaStreamTrack], on_frame: Callable[[str, Frame], None] | None) -> None:
        self._on_frame = on_frame
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers: list[asyncio.Task[None]] = []
        self._answer: Answer | None = None
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer.on("connectionstatechange", self._changed)
        self.peer.on("track", self._track)
        for track in tracks:
            self.peer.addTransceiver(_Lent(track), direction="sendrecv" if on_frame else "sendonly")
        if not tracks:
            for kind in ("video", "audio"):
                self.peer.addTransceiver(kind, direction="recvonly")

    async def open(self, endpoint: Endpoint) -> str:
        """Connects. Returns why it did not, or nothing. Raises as ``Endpoint.offer`` does."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        self._answer = await endpoint.offer(self.peer.localDescription.sdp)
        try:
            await self.peer.setRemoteDescription(RTCSessionDescription(self._answer.sdp, "answer"))
        except (ValueError, InvalidStateError) as error:
            raise ClientError(f"the server's answer cannot be used: {error}") from error
        await asyncio.wait((self._ended, self._connected), timeout=CONNECT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if self._connected.done():
            return ""
        return self._ended.result() if self._ended.done() else f"no connection came about within {CONNECT_TIMEOUT:g} s"

    async def ended(self, endpoint: Endpoint) -> str:
        """Waits for the end, and returns the reason."""
        assert self._answer is not None
        while not (await asyncio.wait([self._ended], timeout=CHECK_INTERVAL))[0]:
            if await endpoint.gone(self._answer):
                return "the server no longer knows the session"
        return self._ended.result()

    async def close(self, endpoint: Endpoint) -> None:
        """Tells the server, and frees the sockets."""
        for reader in self._readers:
            reader.cancel()
        if self._answer is not None:
            await endpoint.end(self._answer)
        with contextlib.suppress(InvalidStateError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.peer.close()

    def _changed(self) -> None:
        state = self.peer.connectionState
        if state == "connected" and not self._connected.done():
            self._connected.set_result(None)
        elif state in ("failed", "closed") and not self._ended.done():
            self._ended.set_result("the connection was lost" if state == "failed" else "the server ended the session")

    def _track(self, track: MediaStreamTrack) -> None:
        self._readers.append(asyncio.create_task(self._read(track), name=f"doppel-client-{track.kind}"))

    async def _read(self, track: MediaStreamTrack) -> None:
        """Takes everything at once, wanted or not: aiortc's own queues have no bound."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if self._on_frame is not None:
                    self._on_frame(track.kind, frame)


class _Lent(MediaStreamTrack):
    """A caller's track, for one connection: aiortc stops a track with its connection, and the next one needs it again."""

    def __init__(self, track: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = track.kind
        self._lender = track

    async def recv(self) -> Frame:
        if self.readyState != "live":
            raise MediaStreamError
        return await self._lender.recv()
