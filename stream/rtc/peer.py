"""One WebRTC peer: its transport, the media on it, its timers, and its end."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiortc import RTCCertificate, RTCIceServer
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSrPacket

from stream.limits import REPORT_INTERVAL, SECOND, TICK, Limits
from stream.picture import EncodedPicture
from stream.rtc import rtp
from stream.rtc.congestion import Controller, feedback
from stream.rtc.congestion.goog_cc import GoogCc
from stream.rtc.congestion.reported import ReportedRate
from stream.rtc.parameters import LocalTransport, Media, RemoteTransport
from stream.rtc.receiver import VideoReceiver
from stream.rtc.relay import AudioRelay
from stream.rtc.sender import RtpSender
from stream.rtc.transport import Transport, TransportError

logger = logging.getLogger(__name__)

LINE = 1.25
"""Times the highest rate of an encoder that its line may be used: for headers, retransmissions and repair packets."""


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """What all peers of a server share."""

    addresses: Sequence[str] = ()
    """IP addresses to bind and to offer as host candidates; none means every interface's."""
    ice_servers: Sequence[RTCIceServer] = ()
    """STUN and TURN; none is contacted unless it stands here."""
    limits: Limits = field(default_factory=Limits)
    certificate: RTCCertificate = field(default_factory=RTCCertificate.generateCertificate)


class Peer:
    """Lives on the event loop, from ``gather`` to ``close``, and closes itself when the peer is gone.

    ``on_picture`` gets each received picture, ``on_closed`` the reason, once.
    """

    def __init__(
        self,
        config: PeerConfig,
        media: Media,
        *,
        on_picture: Callable[[EncodedPicture], None] = lambda _: None,
        on_keyframe_request: Callable[[], None] = lambda: None,
        on_bitrate: Callable[[int], None] = lambda _: None,
        on_closed: Callable[[str], None] = lambda _: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._limits = config.limits
        self._clock = clock
        self._on_closed = on_closed
        self._task: asyncio.Task[None] | None = None
        self._reported = 0
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.media = media
        self.connected = False
        self._transport = Transport(
            addresses=config.addresses,
            ice_servers=config.ice_servers,
            certificate=config.certificate,
            on_rtp=self._rtp,
            on_rtcp=self._rtcp,
            on_closed=lambda: self._end("the peer closed the connection"),
            clock=clock,
        )
        cname = uuid.uuid4().hex[:16]
        video, audio = media.video, media.audio
        limits = config.limits
        controlled = GoogCc if video.extensions.transport_cc is not None else ReportedRate
        controller: Controller = controlled(limits.start_bitrate, int(limits.max_bitrate * LINE))
        self.sender = RtpSender(
            payload_type=video.payload_type,
            rtx_payload_type=video.rtx_payload_type,
            extensions=video.extensions,
            mid=video.mid,
            cname=cname,
            send_rtp=self._transport.send_rtp,
            send_rtcp=self._transport.send_rtcp,
            flush=self._transport.flush,
            on_keyframe_request=on_keyframe_request,
            on_bitrate=on_bitrate,
            controller=controller,
            call_later=asyncio.get_running_loop().call_later,
            clock=clock,
            fec_payload_type=video.fec,
        )
        self.receiver = VideoReceiver(video, ssrc=self.sender.ssrc, send_rtcp=self._transport.send_rtcp, on_picture=on_picture)
        self.audio: AudioRelay | None = None
        if audio is not None:
            self.audio = AudioRelay(
                audio,
                cname=cname,
                send_rtp=self._transport.send_rtp,
                send_rtcp=self._transport.send_rtcp,
                flush=self._transport.flush,
            )

    def ssrcs(self) -> dict[str, tuple[int, ...]]:
        """By mid, the SSRCs that are sent: the media's, its retransmissions', its repair packets', where there are any."""
        video = self.media.video
        ssrcs: dict[str, tuple[int, ...]] = {video.mid: (self.sender.ssrc,)}
        if video.rtx_payload_type is not None:
            ssrcs[video.mid] += (self.sender.rtx_ssrc,)
            if video.fec is not None:
                ssrcs[video.mid] += (self.sender.fec_ssrc,)
        if self.audio is not None and self.media.audio is not None:
            ssrcs[self.media.audio.mid] = (self.audio.sender.ssrc,)
        return ssrcs

    async def gather(self) -> LocalTransport:
        """Binds the sockets. Raises TransportError."""
        return await self._transport.gather()

    def start(self, remote: RemoteTransport) -> None:
        """Connects in the background, and serves until the end."""
        self._task = asyncio.create_task(self._run(remote), name="doppel-peer")

    def request_keyframe(self) -> None:
        """Asks the peer for a keyframe, if it sends."""
        self.receiver.request_keyframe(self._clock())

    async def close(self, reason: str = "closed by the server") -> None:
        """Ends the peer: tells it, and frees its sockets and timers. Safe to call twice, and from anywhere on the loop."""
        self._end(reason)
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self._limits.close_timeout)
        else:
            await self._shut(reason)

    async def _run(self, remote: RemoteTransport) -> None:
        reason = "closed"
        try:
            reason = await self._serve(remote)
        except TransportError as error:
            reason = str(error)
        except Exception:  # the last boundary before the task ends unheard
            logger.exception("a peer failed")
            reason = "an error in the server ended it; its log says more"
        finally:
            await self._shut(reason)

    async def _serve(self, remote: RemoteTransport) -> str:
        connecting: asyncio.Future[None] = asyncio.ensure_future(self._transport.connect(remote))
        awaited: set[asyncio.Future[None] | asyncio.Future[str]] = {connecting, self._ended}
        try:
            await asyncio.wait(awaited, timeout=self._limits.connect_timeout, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                return self._ended.result()
            if not connecting.done():
                raise TransportError(f"the peer did not connect within {self._limits.connect_timeout:g} s")
            connecting.result()
        finally:
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait([connecting])
        self.connected = True
        self._beat()
        await asyncio.wait([self._ended])
        return self._ended.result()

    async def _shut(self, reason: str) -> None:
        if self.connected:
            sources = [ssrc for ssrcs in self.ssrcs().values() for ssrc in ssrcs[:1]]
            self._transport.send_rtcp(bytes(RtcpByePacket(sources=sources)))
        self.connected = False
        self.sender.close()
        on_closed, self._on_closed = self._on_closed, lambda _: None
        try:
            async with asyncio.timeout(self._limits.close_timeout):
                await self._transport.close()
        except TimeoutError:
            logger.warning("a peer's transport did not close in %g s", self._limits.close_timeout)
        finally:
            on_closed(reason)

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _rtp(self, data: bytes) -> None:
        try:
            packet = rtp.parse(data)
        except ValueError:
            return
        video = self.media.video
        if packet.payload_type in video.codecs or packet.payload_type in video.rtx:
            if video.receive:
                self.receiver.rtp(packet, self._clock(), data)
        elif packet.payload_type == video.fec:
            self.receiver.repair(packet, self._clock())
        elif self.audio is not None:
            self.audio.rtp(packet, self._clock())

    def _rtcp(self, data: bytes) -> None:
        now = self._clock()
        # aiortc reads every transport layer feedback as a NACK, so these are taken out before.
        feedbacks, data = feedback.split(data)
        for told in feedbacks:
            self.sender.transport_feedback(told, now)
        try:
            packets: list[AnyRtcpPacket] = RtcpPacket.parse(data)
        except (ValueError, IndexError, struct.error):
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                self.receiver.sender_report(packet, now)
                if self.audio is not None:
                    self.audio.sender_report(packet, now)
            if isinstance(packet, RtcpByePacket):
                continue
            self.sender.rtcp(packet, now)
            if self.audio is not None:
                self.audio.rtcp(packet, now)
        if self.sender.round_trip is not None:
            self.receiver.round_trip(self.sender.round_trip)

    def _beat(self) -> None:
        """Looks at the timers now and every TICK until the end: a timer of the loop's costs half of what a task's turn does."""
        if self._ended.done():
            return
        now = self._clock()
        try:
            self._tick(now)
        except Exception as error:  # the loop would log it and go on, without a beat: it is the task's, which ends the peer
            self._ended.set_exception(error)
            return
        if now - self._transport.heard > self._limits.silence_timeout * SECOND:
            self._end(f"nothing was heard from the peer for {self._limits.silence_timeout:g} s")
        asyncio.get_running_loop().call_later(TICK, self._beat)

    def _tick(self, now: int) -> None:
        self.receiver.tick(now)
        self.sender.tick(now)
        if now - self._reported < REPORT_INTERVAL:
            return
        self._reported = now
        report = self.sender.sender_report(now)
        if report is not None:
            self._transport.send_rtcp(report)
        if self.audio is not None:
            report = self.audio.sender_report_due(now)
            if report is not None:
                self._transport.send_rtcp(report)
        blocks: list[RtcpReceiverInfo] = [
            block
            for block in (self.receiver.report(now), self.audio.report(now) if self.audio is not None else None)
            if block is not None
        ]
        if blocks:
            self._transport.send_rtcp(bytes(RtcpRrPacket(ssrc=self.sender.ssrc, reports=blocks)))
