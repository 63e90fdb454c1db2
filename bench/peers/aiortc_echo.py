"""aiortc as it comes: a video track is sent back to whom it came from, as in aiortc's own examples, on uvloop.

python -m bench.peers.aiortc_echo PORT
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
relay = MediaRelay()


async def loop(request: aiohttp_web.Request) -> aiohttp_web.Response:
    """The client offers the codec under test alone, so that the answer has no other."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    session = uuid.uuid4().hex
    peers[session] = pc

    @pc.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        pc.addTrack(relay.subscribe(track))

    await pc.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
    await pc.setLocalDescription(await pc.createAnswer())
    return aiohttp_web.Response(
        status=201,
        text=pc.localDescription.sdp,
        content_type="application/sdp",
        headers={"Location": f"/sessions/{session}"},
    )


async def hang_up(request: aiohttp_web.Request) -> aiohttp_web.Response:
    pc = peers.pop(request.match_info["session"], None)
    if pc:
        await pc.close()
    return aiohttp_web.Response()


async def ready(request: aiohttp_web.Request) -> aiohttp_web.Response:
    return aiohttp_web.Response()


def main(port: int) -> None:
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOOPBACK]
    uvloop.install()
    app = aiohttp_web.Application()
    app.router.add_get("/readyz", ready)
    app.router.add_post("/loop/{stream}", loop)
    app.router.add_delete("/sessions/{session}", hang_up)
    aiohttp_web.run_app(app, host=LOOPBACK, port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
