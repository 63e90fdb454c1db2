"""A client that does what OBS does, and no more: an offer without candidates, no PATCH, and deaf to what it is asked."""

from __future__ import annotations

import asyncio
import struct

import aioice
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.sdp import SessionDescription

from stream.rtc.h264 import split
from tests.contract.house import House, Reply
from tests.signaling.offers import FINGERPRINT, OBS, directed
from tests.stream.pictures import encoded

OFFER = directed(OBS, "sendonly")

FPS = 30

KEYFRAMES = 15
"""Pictures from one keyframe to the next: it sends none that it is asked for."""


class Obs:
    """One connection. Its own ICE transport, as far as RTCDtlsTransport asks: ``role``, ``_recv`` and ``_send``."""

    role = "controlling"

    def __init__(self) -> None:
        self._ice = aioice.Connection(ice_controlling=True)
        self._recv, self._send = self._ice.recv, self._ice.send
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls: RTCDtlsTransport | None = None
        self._sending: asyncio.Task[None] | None = None
        self.reply: Reply | None = None

    async def publish(self, house: House, name: str, token: str | None = None) -> Reply:
        """Offers, takes the answer, and sends pictures until it is closed."""
        self.reply = reply = await self.enter(house, name, token)
        answer = SessionDescription.parse(reply.text)
        first = answer.media[0]
        assert first.ice is not None
        assert first.dtls is not None
        self._ice.remote_username, self._ice.remote_password = first.ice.usernameFragment, first.ice.password
        for line in reply.text.splitlines():
            if line.startswith("a=candidate:"):
                await self._ice.add_remote_candidate(aioice.Candidate.from_sdp(line.removeprefix("a=candidate:")))
        await self._ice.add_remote_candidate(None)
        await self._ice.connect()
        self._dtls = RTCDtlsTransport(self, [self._certificate])  # type: ignore[arg-type]
        self._dtls._set_role("server" if first.dtls.role == "client" else "client")
        fingerprints = [RTCDtlsFingerprint(each.algorithm, each.value) for each in first.dtls.fingerprints]
        await self._dtls.start(RTCDtlsParameters(fingerprints))
        assert self._dtls.state == "connected"
        self._sending = asyncio.create_task(self._film())
        return reply

    async def enter(self, house: House, name: str, token: str | None = None) -> Reply:
        """Offers, and does no more."""
        await self._ice.gather_candidates()
        fingerprint = next(each.value for each in self._certificate.getFingerprints() if each.algorithm == "sha-256")
        offer = OFFER
        for theirs, ours in (("7mUi", self._ice.local_username), ("Yx4vP3oSm6cAq1bTt9kZw2", self._ice.local_password)):
            offer = offer.replace(theirs, ours)
        return await house.enter("whip", name, offer.replace(FINGERPRINT, fingerprint), token)

    async def ended(self) -> None:
        """Waits until the server has closed the line."""
        assert self._dtls is not None
        while self._dtls.state != "closed":  # noqa: ASYNC110 - it tells by an event emitter only
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self.mute()
        if self._dtls is not None:
            await self._dtls.stop()
        await self._ice.close()

    async def vanish(self) -> None:
        """Its sockets are gone before it could say so."""
        await self._ice.close()
        await self.close()

    async def mute(self) -> None:
        """Sends no more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None

    async def _film(self) -> None:
        pictures = encoded(2 * KEYFRAMES, keyframes=KEYFRAMES)
        sequence = count = 0
        while True:
            payloads = split(pictures[count % len(pictures)].data, 1200)
            for place, payload in enumerate(payloads, 1):
                marker = 0x80 if place == len(payloads) else 0
                head = struct.pack("!BBHII", 0x80, marker | 96, sequence % 65536, count * 90_000 // FPS, 1001)
                assert self._dtls is not None
                await self._dtls._send_rtp(head + payload)
                sequence += 1
            count += 1
            await asyncio.sleep(1 / FPS)
