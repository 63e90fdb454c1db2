"""doppel's own peer on the client's side, by WHIP or WHEP: cheap enough for twenty beside the server that they measure."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Literal

import aiohttp
from aiortc.sdp import SessionDescription

from bench.apart import ClientFailed
from stream.limits import Limits
from stream.picture import EncodedPicture
from stream.rtc import transport_cc
from stream.rtc.parameters import (
    AudioParameters,
    Candidate,
    HeaderExtensions,
    LocalTransport,
    Media,
    RemoteTransport,
    VideoParameters,
)
from stream.rtc.peer import Peer, PeerConfig
from stream.sound.packet import SoundPacket

LOOPBACK = "127.0.0.1"
CONNECT_TIMEOUT = 20.0
"""s until connected: what a server may take to load models for its first stream."""
CLOSE_TIMEOUT = 5.0
"""s for hanging up."""
CONNECT_POLL = 0.01
"""s between two looks at whether it is connected: a peer tells when it is closed, not when it is connected."""

VIDEO, RTX, AUDIO = 102, 103, 111
"""Payload types."""
EXTENSIONS = HeaderExtensions(mid=1, transport_cc=3)
_URIS = {1: "urn:ietf:params:rtp-hdrext:sdes:mid", 3: transport_cc.URI}
_RTPMAPS = {
    "H264": ("H264/90000", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    "VP8": ("VP8/90000", ""),
}


class Caller:
    """Publishes or watches one codec, with sound or without."""

    def __init__(
        self,
        way: Literal["publish", "watch"],
        *,
        codec: str = "H264",
        sound: bool = False,
        on_picture: Callable[[EncodedPicture], None] = lambda _: None,
        on_sound: Callable[[SoundPacket], None] = lambda _: None,
        on_closed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._direction = "recvonly" if way == "watch" else "sendonly"
        receive, send = way == "watch", way == "publish"
        video = VideoParameters("0", receive=receive, send=send, codecs={VIDEO: codec}, rtx={RTX: VIDEO}, extensions=EXTENSIONS)
        audio = AudioParameters("1", receive=receive, send=send, payload_type=AUDIO) if sound else None
        self._codec, self._sound = codec, sound
        self.session = ""
        """Where it is ended."""
        self.closed = ""
        """Why it was closed; empty while it is not."""
        self._on_closed = on_closed
        self.peer = Peer(
            PeerConfig(addresses=(LOOPBACK,), limits=Limits(connect_timeout=CONNECT_TIMEOUT, silence_timeout=60.0)),
            Media(video, audio),
            on_picture=on_picture,
            on_sound=on_sound,
            on_closed=self._closed,
        )
        # The one thing that sets who offers apart from who answers; doppel itself only ever answers.
        self.peer._transport._ice.ice_controlling = True

    async def connect(self, url: str, http: aiohttp.ClientSession, headers: dict[str, str] | None = None) -> None:
        """Returns when media can flow. Raises ClientFailed."""
        offer = self._offer(await self.peer.gather())
        async with http.post(url, data=offer, headers={"Content-Type": "application/sdp", **(headers or {})}) as response:
            answer = await response.text()
            if response.status != 201:
                raise ClientFailed(f"{url} answered {response.status}: {answer[:500]}")
            self.session = str(response.url.join(type(response.url)(response.headers["Location"])))
        self.peer.start(remote(answer))
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                while not self.peer.connected:
                    if self.closed:
                        raise ClientFailed(f"{url} was left before it connected: {self.closed}")
                    await asyncio.sleep(CONNECT_POLL)
        except TimeoutError:
            raise ClientFailed(f"{url} did not connect within {CONNECT_TIMEOUT:.0f} s") from None

    async def close(self, http: aiohttp.ClientSession) -> None:
        """Hangs up, within a bounded time."""

        async def delete() -> None:
            if self.session:
                async with http.delete(self.session):
                    pass

        await asyncio.gather(
            *(asyncio.wait_for(step, CLOSE_TIMEOUT) for step in (delete(), self.peer.close())), return_exceptions=True
        )

    def _closed(self, reason: str) -> None:
        self.closed = reason
        self._on_closed(reason)

    def _offer(self, local: LocalTransport) -> str:
        ssrcs = self.peer.ssrcs()
        rtpmap, fmtp = _RTPMAPS[self._codec]
        common = [
            "c=IN IP4 0.0.0.0",
            f"a={self._direction}",
            "a=rtcp-mux",
            f"a=ice-ufrag:{local.ufrag}",
            f"a=ice-pwd:{local.password}",
            *(f"a=fingerprint:{algorithm} {value}" for algorithm, value in local.fingerprints if algorithm == "sha-256"),
            "a=setup:actpass",
        ]
        video = [
            f"m=video 9 UDP/TLS/RTP/SAVPF {VIDEO} {RTX}",
            *common,
            "a=mid:0",
            "a=rtcp-rsize",
            *(f"a=extmap:{number} {uri}" for number, uri in _URIS.items()),
            f"a=rtpmap:{VIDEO} {rtpmap}",
            *([f"a=fmtp:{VIDEO} {fmtp}"] if fmtp else []),
            *(f"a=rtcp-fb:{VIDEO} {kind}" for kind in ("nack", "nack pli", "ccm fir", "transport-cc")),
            f"a=rtpmap:{RTX} rtx/90000",
            f"a=fmtp:{RTX} apt={VIDEO}",
            "a=msid:bench video",
            *([f"a=ssrc-group:FID {ssrcs['0'][0]} {ssrcs['0'][1]}"] if "0" in ssrcs else []),
            *(f"a=ssrc:{ssrc} cname:{self.peer.cname}" for ssrc in ssrcs.get("0", ())),
            *(f"a=candidate:{candidate}" for candidate in local.candidates),
            "a=end-of-candidates",
        ]
        audio = [
            f"m=audio 9 UDP/TLS/RTP/SAVPF {AUDIO}",
            *common,
            "a=mid:1",
            f"a=rtpmap:{AUDIO} opus/48000/2",
            f"a=fmtp:{AUDIO} minptime=10;useinbandfec=1",
            "a=msid:bench audio",
            *(f"a=ssrc:{ssrc} cname:{self.peer.cname}" for ssrc in ssrcs.get("1", ())),
        ]
        head = [
            "v=0",
            f"o=- {secrets.randbits(62)} 1 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE 0{' 1' if self._sound else ''}",
            "a=msid-semantic: WMS *",
        ]
        return "\r\n".join([*head, *video, *(audio if self._sound else [])]) + "\r\n"


def remote(answer: str) -> RemoteTransport:
    """How to reach who gave this answer. Raises ClientFailed."""
    media = SessionDescription.parse(answer).media[0]
    if media.ice is None or media.dtls is None or not media.port:
        raise ClientFailed("the answer declines the video")
    return RemoteTransport(
        ufrag=media.ice.usernameFragment or "",
        password=media.ice.password or "",
        lite=False,
        candidates=[
            Candidate(str(found.foundation), 1, int(found.priority), str(found.ip), found.port, found.type)
            for found in media.ice_candidates
        ],
        fingerprints=[(found.algorithm, found.value) for found in media.dtls.fingerprints],
        # RFC 5763 section 5: whoever is active opens the handshake.
        dtls_client=media.dtls.role == "server",
    )
