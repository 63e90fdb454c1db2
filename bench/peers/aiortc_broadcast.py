"""aiortc as it comes, for an audience: a MediaRelay hands a publisher's frames to all, and each viewer's sender encodes them.

python -m bench.peers.aiortc_broadcast PORT
"""

from __future__ import annotations

import sys
import uuid

import aiohttp.web as aiohttp_web
import aioice.ice
import uvloop
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

LOOPBACK = "127.0.0.1"
peers: dict[str, RTCPeerConnection] = {}
tracks: dict[str, MediaStreamTrack] = {}
relay = MediaRelay()


async def publish(request: aiohttp_web.Request) -> aiohttp_web.Response:
    """The client offers the codec under test alone."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    stream = request.match_info["stream"]

    @pc.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        tracks[stream] = track

    return await _answered(pc, await request.text())


async def watch(request: aiohttp_web.Request) -> aiohttp_web.Response:
    """409 before anybody publishes."""
    track = tracks.get(request.match_info["stream"])
    if track is None:
        return aiohttp_web.Response(status=409, text="not live", headers={"Retry-After": "1"})
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTrack(relay.subscribe(track))
    return await _answered(pc, await request.text())


async def hang_up(request: aiohttp_web.Request) -> aiohttp_web.Response:
    pc = peers.pop(request.match_info["session"], None)
    if pc:
        await pc.close()
    return aiohttp_web.Response()


async def ready(request: aiohttp_web.Request) -> aiohttp_web.Response:
    return aiohttp_web.Response()


async def _answered(pc: RTCPeerConnection, offer: str) -> aiohttp_web.Response:
    session = uuid.uuid4().hex
    peers[session] = pc
    await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await pc.setLocalDescription(await pc.createAnswer())
    return aiohttp_web.Response(
        status=201, text=pc.localDescription.sdp, content_type="application/sdp", headers={"Location": f"/sessions/{session}"}
    )


def main(port: int) -> None:
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOOPBACK]
    uvloop.install()
    app = aiohttp_web.Application()
    app.router.add_get("/readyz", ready)
    app.router.add_post("/whip/{stream}", publish)
    app.router.add_post("/whep/{stream}", watch)
    app.router.add_delete("/sessions/{session}", hang_up)
    aiohttp_web.run_app(app, host=LOOPBACK, port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
