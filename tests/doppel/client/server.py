"""A small server of WHIP, WHEP and the loop on aiortc alone, which refuses, forgets and ends sessions when it is told to."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp.web as aiohttp_web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import AudioStreamTrack

from tests.loopback import Stripes


@dataclass
class StandIn:
    """Answers each POST with the next of ``refusals``, while there are any."""

    refusals: deque[tuple[int, Mapping[str, str], str]] = field(default_factory=deque)
    offers: list[aiohttp_web.Request] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    peers: dict[str, RTCPeerConnection] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    pictures: int = 0
    """Received of publishers."""
    location: str = ""
    """What to say instead of the session's address."""
    _relay: MediaRelay = field(default_factory=MediaRelay)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> aiohttp_web.Application:
        app = aiohttp_web.Application()
        app.router.add_post("/{kind:whip|whep|loop}/{stream}", self._offer)
        app.router.add_get("/sessions/{session}", self._session)
        app.router.add_delete("/sessions/{session}", self._delete)
        return app

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(peer.close() for peer in self.peers.values()))

    async def _offer(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        self.offers.append(request)
        sdp = await request.text()
        self.offered.append(sdp)
        if self.refusals:
            status, headers, detail = self.refusals.popleft()
            body = json.dumps({"type": "about:blank", "status": status, "detail": detail})
            return aiohttp_web.Response(status=status, text=body, content_type="application/problem+json", headers=headers)
        kind = request.match_info["kind"]
        name = f"{len(self.offers)}"
        peer = self.peers[name] = RTCPeerConnection(RTCConfiguration(iceServers=[]))

        def on_track(track: MediaStreamTrack) -> None:
            if kind == "loop":
                peer.addTrack(self._relay.subscribe(track))
            elif kind == "whip":
                self._tasks.add(asyncio.create_task(self._count(track)))

        peer.on("track", on_track)
        if kind == "whep":
            peer.addTrack(Stripes())
            peer.addTrack(AudioStreamTrack())
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        location = self.location or f"/sessions/{name}"
        return aiohttp_web.Response(
            status=201, text=peer.localDescription.sdp, content_type="application/sdp", headers={"Location": location}
        )

    async def _session(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.Response(status=404 if request.match_info["session"] in self.forgotten else 200)

    async def _delete(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        self.deleted.append(request.match_info["session"])
        return aiohttp_web.Response()

    async def _count(self, track: MediaStreamTrack) -> None:
        while True:
            await track.recv()
            self.pictures += 1
            self.more.set()
