"""What a packet costs apart from codecs: a peer's way in and its way out, each with a real socket and real SRTP.

Both ends are in this process, but only the server's works while the clock runs, and the clock is the thread's CPU time. What
the other end sends was made and encrypted before; what it gets stays in its socket until the clock has stopped.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import dataclass
from itertools import count, cycle, islice

import aioice

from bench import clip
from bench.apart import measured
from stream.egress.webrtc import WebRtcEgress
from stream.limits import MTU_PAYLOAD, Limits
from stream.picture import EncodedPicture
from stream.rtc.parameters import Candidate, HeaderExtensions, LocalTransport, Media, RemoteTransport, VideoParameters
from stream.rtc.payload import FORMATS
from stream.rtc.peer import Peer, PeerConfig
from stream.rtc.rtp import header
from transforms.frame import Timeline

LOOPBACK = "127.0.0.1"
UNPACED = 10_000_000_000
"""bit/s: no packet ever waits, so that the loop is always busy."""
PAYLOAD_TYPE, SSRC = 102, 0x0D099E1
EXTENSIONS = HeaderExtensions(mid=1, transport_cc=3)
"""What Chromium agrees on with doppel."""
WARMUP = 30
"""Pictures before the clock starts."""
TURNS = 1000
"""Turns of the loop that one picture may take."""
CONNECT_POLLS = 1000
"""Looks at whether they are connected, 10 ms apart."""
DEADLINE = 120.0
"""s for all of it."""


@dataclass(frozen=True, slots=True)
class Cost:
    pictures: int
    packets: int
    cpu_s: float

    @property
    def per_second(self) -> float:
        """Packets that one core handles in a second."""
        return self.packets / self.cpu_s


def measure(pictures: int) -> tuple[Cost, Cost]:
    """In and out, of so many pictures of the clip each, in a process of its own. Raises ClientFailed."""
    return measured(_measure, pictures, DEADLINE)


async def _measure(pictures: int) -> tuple[Cost, Cost]:
    received = [0]

    def on_picture(_: EncodedPicture) -> None:
        received[0] += 1

    video = VideoParameters("0", receive=True, send=True, codecs={PAYLOAD_TYPE: "H264"}, rtx={}, extensions=EXTENSIONS)
    config = PeerConfig(addresses=(LOOPBACK,), limits=Limits(start_bitrate=UNPACED, max_bitrate=UNPACED))
    server = Peer(config, Media(video), on_picture=on_picture)
    client = Peer(config, Media(video))
    try:
        far = await _connected(server, client)
        frames = list(islice(cycle(clip.encoded("H264").frames), WARMUP + pictures))
        return await _in(far, _encrypted(client, frames), received), await _out(server, far, frames)
    finally:
        await asyncio.gather(server.close(), client.close())


async def _connected(server: Peer, client: Peer) -> socket.socket:
    """The client's socket, from then on without anybody who reads it."""
    # This and _encrypted are all that is taken past what is public: doppel's peers only ever answer, and tell nobody their keys.
    client._transport._ice.ice_controlling = True
    here, there = await server.gather(), await client.gather()
    server.start(_remote(there, dtls_client=False))
    client.start(_remote(here, dtls_client=True))
    for _ in range(CONNECT_POLLS):
        await asyncio.sleep(0.01)
        if server.connected and client.connected:
            break
    else:
        raise RuntimeError("two peers of doppel's could not connect on loopback")
    [protocol] = client._transport._ice._protocols
    far = socket.socket(fileno=os.dup(protocol.transport.get_extra_info("socket").fileno()))
    protocol.transport.abort()
    address = aioice.Candidate.from_sdp(here.candidates[0])
    far.connect((address.host, address.port))
    return far


def _encrypted(client: Peer, frames: list[bytes]) -> list[list[bytes]]:
    srtp = client._transport._tx
    assert srtp is not None
    numbers = count()
    pictures: list[list[bytes]] = []
    for number, frame in enumerate(frames):
        payloads = FORMATS["H264"].split(frame, MTU_PAYLOAD)
        packets: list[bytes] = []
        for place, payload in enumerate(payloads, 1):
            sequence = next(numbers)
            # Elements of RFC 8285: a mid of one byte, and a transport-wide number of two.
            extension = bytes((0x10, ord("0"), 0x31)) + (sequence & 0xFFFF).to_bytes(2)
            head = header(PAYLOAD_TYPE, place == len(payloads), sequence, number * clip.TICKS, SSRC, extension)
            packets.append(srtp.protect(head + payload))
        pictures.append(packets)
    return pictures


async def _in(far: socket.socket, pictures: list[list[bytes]], received: list[int]) -> Cost:
    cpu_ns = packets = 0
    for number, picture in enumerate(pictures):
        for packet in picture:
            far.send(packet)
        began = time.thread_time_ns()
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if received[0] > number:
                break
        else:
            raise RuntimeError(f"picture {number} of {len(picture)} packets did not come through the server's receiving")
        if number >= WARMUP:
            cpu_ns += time.thread_time_ns() - began
            packets += len(picture)
    return Cost(len(pictures) - WARMUP, packets, cpu_ns / 1e9)


async def _out(server: Peer, far: socket.socket, frames: list[bytes]) -> Cost:
    egress = WebRtcEgress("H264")
    egress.add(server)
    far.setblocking(False)
    cpu_ns = packets = 0
    for number, frame in enumerate(frames):
        picture = EncodedPicture(frame, number * clip.TICKS, number == 0, "H264", Timeline())
        wanted, came = len(FORMATS["H264"].split(frame, MTU_PAYLOAD)), 0
        _drain(far)  # of reports
        began = time.thread_time_ns()
        egress.send(picture)
        spent = time.thread_time_ns() - began
        for _ in range(TURNS):
            began = time.thread_time_ns()
            await asyncio.sleep(0)
            spent += time.thread_time_ns() - began
            came += _drain(far)
            if came >= wanted:
                break
        else:
            raise RuntimeError(f"of picture {number}, {came} of {wanted} packets came out of the server's sending")
        if number >= WARMUP:
            cpu_ns += spent
            packets += came
    return Cost(len(frames) - WARMUP, packets, cpu_ns / 1e9)


def _drain(far: socket.socket) -> int:
    """Media packets that waited in a socket."""
    came = 0
    while True:
        try:
            came += far.recv(2048)[1] & 0x7F == PAYLOAD_TYPE
        except BlockingIOError:
            return came


def _remote(local: LocalTransport, *, dtls_client: bool) -> RemoteTransport:
    found = [aioice.Candidate.from_sdp(line) for line in local.candidates]
    candidates = [Candidate(c.foundation, c.component, c.priority, c.host, c.port, c.type) for c in found]
    return RemoteTransport(local.ufrag, local.password, False, candidates, local.fingerprints, dtls_client)
