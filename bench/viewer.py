"""A peer that behaves as a browser does on a bad line: it asks again for lost packets and for keyframes, answers the same, and
reports arrivals. It publishes the encoded clip and watches what comes back, in a process of its own, behind a line.

doppel's own receiver and sender do that here, on the other side for once. What is watched is whole pictures in order, as a
decoder would get them; they are decoded afterwards.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field

import aiohttp

from bench import clip
from bench.apart import ClientFailed, measured
from bench.caller import remote
from bench.line.line import Counts
from bench.line.relay import LOOPBACK, Relay
from bench.line.script import Script, steady
from bench.process import Usage, usage
from stream.limits import MTU_PAYLOAD, Limits
from stream.picture import EncodedPicture
from stream.rtc import flexfec, transport_cc
from stream.rtc.parameters import HeaderExtensions, LocalTransport, Media, VideoParameters
from stream.rtc.payload import FORMATS
from stream.rtc.peer import Peer, PeerConfig

CONNECT_TIMEOUT = 20.0
"""s from the offer to the first picture back: what a server may take to load models for its first stream."""
START_TIMEOUT = 20.0
"""s for the process to start and to hand its recording over, on a busy machine."""
CLOSE_TIMEOUT = 5.0
"""s for hanging up; then the process just ends."""
COOLDOWN = 1.0
"""s of sending after the window, so that its last pictures have the time to come back."""
KEYFRAME_FRAMES = 15
"""Pictures between two keyframes sent on request, at least. Each request skips ahead in the loop, which has 5 keyframes: in a
storm of requests a barcode so comes again after 2.5 s at the soonest, when the picture that had it before is back."""
SAMPLE_INTERVAL = 0.5
"""s between two looks at what was received so far."""

PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, FEC_PAYLOAD_TYPE = 102, 103, 104
EXTENSIONS = HeaderExtensions(mid=1, abs_send_time=2, transport_cc=3)
URIS = {
    1: "urn:ietf:params:rtp-hdrext:sdes:mid",
    2: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    3: transport_cc.URI,
}
RTPMAPS = {
    "H264": ("H264/90000", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    "VP8": ("VP8/90000", ""),
}


@dataclass(frozen=True, slots=True)
class Plan:
    url: str
    """Where the offer is posted."""
    server_pid: int
    begin: float = 4.0
    """s on the scripts' clock at which the measured window begins: the connection and rate control have settled."""
    seconds: float = 10.0
    """The measured window."""
    up: Script = field(default_factory=steady)
    down: Script = field(default_factory=steady)
    seed: int = 1
    codec: str = "H264"
    patience: float = CONNECT_TIMEOUT
    """s until the first picture must be back."""

    @property
    def deadline(self) -> float:
        """s after which the process is ended whatever it does."""
        return self.patience + self.begin + self.seconds + COOLDOWN + CLOSE_TIMEOUT + START_TIMEOUT


@dataclass(frozen=True, slots=True)
class Recording:
    """Times are monotonic ns."""

    codec: str
    begin: int
    end: int
    sent: list[tuple[int, int]]
    """The barcode of each picture, and when it was handed to the sender."""
    shown: list[tuple[int, bytes]]
    """When each picture was there, whole and in order, and the picture."""
    octets: list[tuple[int, int]]
    """A time, and how many bytes of payload had come by then, retransmissions and repair packets included."""
    usage: list[Usage]
    """The server's at the window's begin and end."""
    client_cores: float
    """CPU that the viewer and the line used during the window."""
    keyframes_asked: int
    """Times that the server asked for a keyframe."""
    pictures_lost: int
    """Times that the viewer gave pictures up for a missing packet."""
    up: Counts
    down: Counts

    @property
    def cores(self) -> float:
        """CPU that the server used."""
        return (self.usage[-1].cpu_s - self.usage[0].cpu_s) * 1e9 / (self.end - self.begin)

    @property
    def other_cores(self) -> float:
        """CPU that everybody else used meanwhile."""
        machine = (self.usage[-1].machine_s - self.usage[0].machine_s) * 1e9 / (self.end - self.begin)
        return max(0.0, machine - self.cores - self.client_cores)


def watch(plan: Plan) -> Recording:
    """Runs a plan in a new process. Raises ClientFailed, and leaves no process behind."""
    return measured(_watch, plan, plan.deadline)


async def _watch(plan: Plan) -> Recording:
    frames = clip.encoded(plan.codec).frames
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CONNECT_TIMEOUT)) as http,
        await Relay.open(plan.up, plan.down, plan.seed) as relay,
    ):
        viewer = _Viewer(plan, frames, relay)
        try:
            await viewer.connect(http)
            return await viewer.measure()
        finally:
            await viewer.close(http)


class _Viewer:
    def __init__(self, plan: Plan, frames: list[bytes], relay: Relay) -> None:
        self._plan = plan
        self._frames = frames
        self._relay = relay
        self._session: str | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._first = asyncio.Event()
        self._closed = ""
        self._keyframe_asked = False
        self._keyframes_asked = 0
        self._sent: list[tuple[int, int]] = []
        self._shown: list[tuple[int, bytes]] = []
        video = VideoParameters(
            "0",
            receive=True,
            send=True,
            codecs={PAYLOAD_TYPE: plan.codec},
            rtx={RTX_PAYLOAD_TYPE: PAYLOAD_TYPE},
            extensions=EXTENSIONS,
            fec=FEC_PAYLOAD_TYPE,
        )
        self._peer = peer = Peer(
            PeerConfig(addresses=(LOOPBACK,), limits=Limits(connect_timeout=CONNECT_TIMEOUT)),
            Media(video),
            on_picture=self._on_picture,
            on_keyframe_request=self._on_keyframe_request,
            on_closed=self._on_closed,
        )
        # The one thing that sets who offers apart from who answers; doppel itself only ever answers.
        self._peer._transport._ice.ice_controlling = True
        assert peer.sender is not None
        assert peer.receiver is not None
        self._sender, self._receiver = peer.sender, peer.receiver

    async def connect(self, http: aiohttp.ClientSession) -> None:
        """Returns when the first picture is back. Raises ClientFailed."""
        offer = _offer(await self._peer.gather(), self._peer.ssrcs()["0"], self._plan.codec)
        async with http.post(
            self._plan.url, data=self._relay.offer(offer), headers={"Content-Type": "application/sdp"}
        ) as response:
            answer = await response.text()
            if response.status != 201:
                raise ClientFailed(f"{self._plan.url} answered {response.status}: {answer[:500]}")
            self._session = str(response.url.join(type(response.url)(response.headers["Location"])))
        self._peer.start(remote(self._relay.answer(answer)))
        self._publishing = asyncio.create_task(self._publish())
        try:
            await asyncio.wait_for(self._first.wait(), self._plan.patience)
        except TimeoutError:
            state = self._closed or ("connected" if self._peer.connected else "not connected")
            raise ClientFailed(
                f"no picture came back within {self._plan.patience:.0f} s ({state}, {len(self._sent)} sent)"
            ) from None

    async def measure(self) -> Recording:
        assert self._relay.up.began is not None
        begin = self._relay.up.began + int(self._plan.begin * 1e9)
        end = begin + int(self._plan.seconds * 1e9)
        await _until(begin)
        own = time.process_time()
        usages = [usage(self._plan.server_pid)]
        octets = [(time.monotonic_ns(), self._receiver.octets)]
        while (now := time.monotonic_ns()) < end:
            await _until(min(end, now + int(SAMPLE_INTERVAL * 1e9)))
            octets.append((time.monotonic_ns(), self._receiver.octets))
        usages.append(usage(self._plan.server_pid))
        own = time.process_time() - own
        await asyncio.sleep(COOLDOWN)
        return Recording(
            self._plan.codec,
            begin,
            end,
            self._sent,
            self._shown,
            octets,
            usages,
            own / self._plan.seconds,
            self._keyframes_asked,
            self._receiver.pictures_lost,
            self._relay.up.counts,
            self._relay.down.counts,
        )

    async def close(self, http: aiohttp.ClientSession) -> None:
        if self._publishing:
            self._publishing.cancel()

        async def delete() -> None:
            if self._session:
                async with http.delete(self._session):
                    pass

        await asyncio.gather(
            *(asyncio.wait_for(step, CLOSE_TIMEOUT) for step in (delete(), self._peer.close())), return_exceptions=True
        )

    async def _publish(self) -> None:
        """The clip at 30 fps; when a keyframe is asked for it goes on with the next that it has, as nothing is encoded here."""
        while not self._peer.connected:  # noqa: ASYNC110 - a peer tells when it is closed, not when it is connected
            await asyncio.sleep(0.005)
        split = FORMATS[self._plan.codec].split
        began = time.monotonic_ns()
        place = 0
        jumped = -KEYFRAME_FRAMES
        for count in range(1 << 30):
            await _until(began + count * 1_000_000_000 // clip.FPS)
            if self._keyframe_asked and count - jumped >= KEYFRAME_FRAMES:
                self._keyframe_asked = False
                jumped = count
                place = -(-place // clip.GOP_FRAMES) * clip.GOP_FRAMES
            number = place % clip.LOOP_FRAMES
            self._sent.append((number, time.monotonic_ns()))
            self._sender.send(split(self._frames[number], MTU_PAYLOAD), count * clip.TICKS)
            place += 1

    def _on_picture(self, picture: EncodedPicture) -> None:
        self._shown.append((time.monotonic_ns(), picture.data))
        self._first.set()

    def _on_keyframe_request(self) -> None:
        self._keyframes_asked += 1
        self._keyframe_asked = True

    def _on_closed(self, reason: str) -> None:
        self._closed = reason


async def _until(moment: int) -> None:
    await asyncio.sleep(max(0, moment - time.monotonic_ns()) / 1e9)


def _offer(local: LocalTransport, ssrcs: tuple[int, ...], codec: str) -> str:
    rtpmap, fmtp = RTPMAPS[codec]
    lines = [
        "v=0",
        f"o=- {secrets.randbits(62)} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=msid-semantic: WMS *",
        f"m=video 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE} {RTX_PAYLOAD_TYPE} {FEC_PAYLOAD_TYPE}",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *(f"a=extmap:{number} {uri}" for number, uri in URIS.items()),
        f"a=rtpmap:{PAYLOAD_TYPE} {rtpmap}",
        *([f"a=fmtp:{PAYLOAD_TYPE} {fmtp}"] if fmtp else []),
        *(f"a=rtcp-fb:{PAYLOAD_TYPE} {kind}" for kind in ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")),
        f"a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/90000",
        f"a=fmtp:{RTX_PAYLOAD_TYPE} apt={PAYLOAD_TYPE}",
        f"a=rtpmap:{FEC_PAYLOAD_TYPE} {flexfec.NAME}/90000",
        f"a=fmtp:{FEC_PAYLOAD_TYPE} repair-window=10000000",
        "a=msid:bench video",
        f"a=ssrc-group:FID {ssrcs[0]} {ssrcs[1]}",
        f"a=ssrc-group:FEC-FR {ssrcs[0]} {ssrcs[2]}",
        *(f"a=ssrc:{ssrc} cname:bench" for ssrc in ssrcs),
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        *(f"a=fingerprint:{algorithm} {value}" for algorithm, value in local.fingerprints if algorithm == "sha-256"),
        "a=setup:actpass",
        *(f"a=candidate:{candidate}" for candidate in local.candidates),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"
