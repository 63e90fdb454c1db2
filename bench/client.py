"""A client light enough not to disturb what it measures, in a process of its own.

It sends the encoded clip at 30 fps over real ICE, DTLS and SRTP, and keeps what comes back with the time at which it came.
Nothing is encoded, decoded, reordered or looked into while it runs: ``result`` does that afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import aioice.ice
import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, pack_remb_fci

from bench import clip
from bench.apart import ClientFailed, measured
from bench.process import Usage, usage
from bench.variants import Variant

LOOPBACK = "127.0.0.1"
CONNECT_TIMEOUT = 20.0
"""s from the offer to the first frame back: what a server may take to load models for its first stream."""
START_TIMEOUT = 20.0
"""s for the process to start and to hand its recording over, on a busy machine."""
CLOSE_TIMEOUT = 5.0
"""s for hanging up; then the process just ends."""
REMB_INTERVAL = 0.5
"""s between two bitrate reports, about what browsers do."""
COOLDOWN = 1.0
"""s of sending after the measured window, so that its last frames have the time to come back."""
USAGE_INTERVAL = 1.0
"""s between two looks at the server's CPU time and memory."""
MAX_PACKETS = 2_000_000
"""Packets kept for each peer, 2.5 GB: more than any scenario makes, and less than a server gone mad would."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    urls: list[str]
    """Where each peer posts its offer."""
    server_pid: int
    codec: str = "H264"
    """"H264" or "VP8"."""
    warmup: float = 2.0
    """s between the first frame back at every peer and the measured window."""
    seconds: float = 10.0
    """The measured window."""
    remb: int | None = None
    """bit/s to report to the server as what the client can take; None reports nothing."""
    variant: Variant | None = None
    """What to send in place of the clip as it is."""

    @property
    def deadline(self) -> float:
        """s after which the process is ended whatever it does."""
        return CONNECT_TIMEOUT * len(self.urls) + self.warmup + self.seconds + COOLDOWN + CLOSE_TIMEOUT + START_TIMEOUT


@dataclass(slots=True)
class PeerRecording:
    """Times are monotonic ns of the client's process."""

    offered: int = 0
    """The offer was about to be posted."""
    sent: list[int] = field(default_factory=list)
    """When the last packet of each frame was about to be given to the socket; the index is the frame's number."""
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    """When each RTP packet came, and the packet, decrypted."""


@dataclass(frozen=True, slots=True)
class Recording:
    codec: str
    begin: int
    """The measured window, monotonic ns."""
    end: int
    peers: list[PeerRecording]
    usage: list[Usage]
    """The server's, from the window's begin to its end."""
    client_cores: float
    """CPU that the client itself used during the window."""


def record(plan: Plan) -> Recording:
    """Runs a plan in a new process. Raises ClientFailed, and leaves no process behind."""
    return measured(_measure, plan, plan.deadline)


async def _measure(plan: Plan) -> Recording:
    only_loopback()
    return await _record(plan, plan.variant.frames() if plan.variant else clip.encoded(plan.codec).frames)


def only_loopback() -> None:
    """aioice leaves loopback out when it gathers addresses; here nothing else is wanted. For the whole process."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOOPBACK]


async def _record(plan: Plan, frames: list[bytes]) -> Recording:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CONNECT_TIMEOUT)) as http:
        peers = [ClientPeer(url, plan, frames, index) for index, url in enumerate(plan.urls)]
        try:
            for peer in peers:
                await peer.connect(http)
            await asyncio.sleep(plan.warmup)
            own = time.process_time()
            begun = usage(plan.server_pid)
            samples = [begun]
            while (left := begun.at / 1e9 + plan.seconds - time.monotonic()) > 0:
                await asyncio.sleep(min(left, USAGE_INTERVAL))
                samples.append(usage(plan.server_pid))
            own = time.process_time() - own
            await asyncio.sleep(COOLDOWN)
            return Recording(
                plan.codec, begun.at, samples[-1].at, [peer.recording for peer in peers], samples, own / plan.seconds
            )
        finally:
            await asyncio.gather(*(peer.close(http) for peer in peers), return_exceptions=True)


class _Clip(MediaStreamTrack):
    """Hands out the encoded loop on the beat of a clock, endlessly."""

    kind = "video"

    def __init__(self, frames: list[bytes], phase: float) -> None:
        super().__init__()
        self._frames = frames
        self._phase = phase
        self._began: float | None = None
        self._numbers = itertools.count()

    async def recv(self) -> av.Packet[Any]:
        number = next(self._numbers)
        if self._began is None:
            self._began = time.monotonic() + self._phase
        await asyncio.sleep(self._began + number / clip.FPS - time.monotonic())
        packet = av.Packet(self._frames[number % len(self._frames)])
        packet.pts, packet.time_base = number * clip.TICKS, clip.TIME_BASE
        return packet


class ClientPeer:
    """One loop: sends the clip from ``connect`` to ``close``, and notes what comes back."""

    def __init__(self, url: str, plan: Plan, frames: list[bytes], index: int) -> None:
        self.recording = PeerRecording()
        self._url = url
        self._plan = plan
        self._session: str | None = None
        self._first_back = asyncio.Event()
        self._origin: int | None = None
        """RTP timestamp of the first frame sent."""
        self._remb: asyncio.Task[None] | None = None
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        # Peers send in turns, as independent ones would, not all at one instant.
        transceiver = self._pc.addTransceiver(_Clip(frames, index / len(plan.urls) / clip.FPS), direction="sendrecv")
        wanted = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType.lower() == f"video/{plan.codec.lower()}"]
        transceiver.setCodecPreferences(wanted)
        self._sender = transceiver.sender
        self._dtls: RTCDtlsTransport = transceiver.sender.transport
        self._send_rtp: Callable[[bytes], Awaitable[None]] = self._dtls._send_rtp
        self._dtls._send_rtp = self._send  # type: ignore[method-assign]
        self._dtls._handle_rtp_data = self._receive  # type: ignore[method-assign]

    async def connect(self, http: aiohttp.ClientSession) -> None:
        """Returns when the first whole frame is back."""
        await self._pc.setLocalDescription(await self._pc.createOffer())
        self.recording.offered = time.monotonic_ns()
        headers = {"Content-Type": "application/sdp"}
        async with http.post(self._url, data=self._pc.localDescription.sdp, headers=headers) as response:
            answer = await response.text()
            if response.status != 201:
                raise ClientFailed(f"{self._url} answered {response.status}: {answer[:500]}")
            self._session = str(response.url.join(type(response.url)(response.headers["Location"])))
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        try:
            await asyncio.wait_for(self._first_back.wait(), CONNECT_TIMEOUT)
        except TimeoutError:
            sent, back = len(self.recording.sent), len(self.recording.packets)
            raise ClientFailed(
                f"no frame came back from {self._url} within {CONNECT_TIMEOUT:.0f} s "
                f"(connection {self._pc.connectionState}, {sent} frames sent, {back} packets received)"
            ) from None
        if self._plan.remb is not None:
            self._remb = asyncio.create_task(self._report_bitrate(self._plan.remb))

    async def close(self, http: aiohttp.ClientSession) -> None:
        if self._remb:
            self._remb.cancel()
        async with asyncio.timeout(CLOSE_TIMEOUT):
            if self._session:
                async with http.delete(self._session):
                    pass
            await self._pc.close()

    async def vanish(self) -> None:
        """Closes the sockets without a word to the server."""
        for protocol in self._dtls.transport._connection._protocols:
            protocol.transport.abort()
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await self._pc.close()

    async def _send(self, data: bytes) -> None:
        # Taken before the socket has it: should the scheduler step in between, a turnaround shows longer, never shorter.
        now = time.monotonic_ns()
        await self._send_rtp(data)
        # An RTP packet (not RTCP, RFC 5761 section 4) with its marker set ends a frame. One that the server asked for
        # again comes after its frame was counted.
        if not 192 <= data[1] <= 223 and data[1] & 0x80:
            timestamp: int = struct.unpack_from("!L", data, 4)[0]
            if self._origin is None:
                self._origin = timestamp
            if (timestamp - self._origin) % (1 << 32) // clip.TICKS == len(self.recording.sent):
                self.recording.sent.append(now)

    async def _receive(self, data: bytes, arrival_time_ms: int) -> None:
        if len(self.recording.packets) < MAX_PACKETS:
            self.recording.packets.append((time.monotonic_ns(), data))
        if data[1] & 0x80:
            self._first_back.set()

    async def _report_bitrate(self, bitrate: int) -> None:
        while True:
            ssrc = struct.unpack_from("!L", self.recording.packets[-1][1], 8)[0]
            report = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self._sender._ssrc, media_ssrc=0, fci=pack_remb_fci(bitrate, [ssrc]))
            await self._send_rtp(bytes(report))
            await asyncio.sleep(REMB_INTERVAL)
