"""One WebRTC peer: its transport, the media on it, its timers, and its end."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from aiortc import RTCCertificate, RTCIceServer
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket, RtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSrPacket

from stream.limits import REPORT_INTERVAL, SECOND, TICK, Limits
from stream.picture import EncodedPicture
from stream.rtc import rtp
from stream.rtc.congestion import Controller, feedback
from stream.rtc.congestion.goog_cc import GoogCc
from stream.rtc.congestion.reported import ReportedRate
from stream.rtc.parameters import Candidate, LocalTransport, Media, RemoteTransport
from stream.rtc.ports import FreePorts, Ports
from stream.rtc.receiver import VideoReceiver
from stream.rtc.sender import RtpSender, random_ssrc
from stream.rtc.sound import SoundReceiver, SoundSender
from stream.rtc.transport import Transport, TransportError
from stream.sound.packet import SoundPacket

logger = logging.getLogger(__name__)

LINE = 1.25
"""Times the highest rate of an encoder that its line may be used: for headers, retransmissions and repair packets."""


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """What all peers of a server share."""

    addresses: Sequence[str] = ()
    """IP addresses to bind and to offer as host candidates; none means every interface's."""
    ice_servers: Iterable[RTCIceServer] = ()
    """STUN and TURN; none is contacted unless it stands here. Gone through for each peer, as credentials do not last."""
    ports: Ports = field(default_factory=FreePorts)
    """Where UDP sockets come from."""
    announced: Sequence[str] = ()
    """IP addresses that peers are told in place of the host's own: a NAT's outer ones."""
    limits: Limits = field(default_factory=Limits)
    certificate: RTCCertificate = field(default_factory=RTCCertificate.generateCertificate)


class Peer:
    """Lives on the event loop, from ``gather`` to ``close``, and closes itself when the peer is gone.

    ``on_picture`` gets each received picture, ``on_sound`` each packet of sound, ``on_closed`` the reason, once.
    """

    def __init__(
        self,
        config: PeerConfig,
        media: Media,
        *,
        epoch: int | None = None,
        on_picture: Callable[[EncodedPicture], None] = lambda _: None,
        on_sound: Callable[[SoundPacket], None] = lambda _: None,
        on_keyframe_request: Callable[[], None] = lambda: None,
        on_bitrate: Callable[[int], None] = lambda _: None,
        on_closed: Callable[[str], None] = lambda _: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``epoch``: when the time stamps of what is sent were 0, Unix ns."""
        self._limits = limits = config.limits
        self._clock = clock
        self._on_closed = on_closed
        self._task: asyncio.Task[None] | None = None
        self._reported = 0
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.media = media
        self.connected = False
        self._transport = transport = Transport(
            addresses=config.addresses,
            ice_servers=config.ice_servers,
            ports=config.ports,
            announced=config.announced,
            certificate=config.certificate,
            on_rtp=self._rtp,
            on_rtcp=self._rtcp,
            on_closed=lambda: self._end("the peer closed the connection"),
            clock=clock,
        )
        self.cname = uuid.uuid4().hex[:16]
        self._ssrc = random_ssrc()
        """Of our reports to one who only sends."""
        self.sender: RtpSender | None = None
        self.receiver: VideoReceiver | None = None
        self.sound_sender: SoundSender | None = None
        self.sound_receiver: SoundReceiver | None = None
        video, audio = media.video, media.audio
        if video is not None and video.send:
            controlled = GoogCc if video.extensions.transport_cc is not None else ReportedRate
            controller: Controller = controlled(limits.start_bitrate, int(limits.max_bitrate * LINE))
            self.sender = RtpSender(
                payload_type=video.payload_type,
                rtx_payload_type=video.rtx_payload_type,
                extensions=video.extensions,
                mid=video.mid,
                cname=self.cname,
                send_rtp=transport.send_rtp,
                send_rtcp=transport.send_rtcp,
                flush=transport.flush,
                on_keyframe_request=on_keyframe_request,
                on_bitrate=on_bitrate,
                controller=controller,
                call_later=asyncio.get_running_loop().call_later,
                clock=clock,
                fec_payload_type=video.fec,
                epoch=epoch,
            )
            self._ssrc = self.sender.ssrc
        if video is not None and video.receive:
            self.receiver = VideoReceiver(video, ssrc=self._ssrc, send_rtcp=transport.send_rtcp, on_picture=on_picture)
        if audio is not None and audio.send:
            self.sound_sender = SoundSender(
                audio,
                cname=self.cname,
                send_rtp=transport.send_rtp,
                send_rtcp=transport.send_rtcp,
                flush=transport.flush,
                epoch=epoch,
                clock=clock,
            )
        if audio is not None and audio.receive:
            self.sound_receiver = SoundReceiver(audio, on_sound)

    def ssrcs(self) -> dict[str, tuple[int, ...]]:
        """By mid, the SSRCs that are sent: the media's, its retransmissions', its repair packets', where there are any."""
        ssrcs: dict[str, tuple[int, ...]] = {}
        video, audio = self.media.video, self.media.audio
        if video is not None and self.sender is not None:
            ssrcs[video.mid] = (self.sender.ssrc,)
            if video.rtx_payload_type is not None:
                ssrcs[video.mid] += (self.sender.rtx_ssrc,)
                if video.fec is not None:
                    ssrcs[video.mid] += (self.sender.fec_ssrc,)
        if audio is not None and self.sound_sender is not None:
            ssrcs[audio.mid] = (self.sound_sender.ssrc,)
        return ssrcs

    @property
    def round_trip(self) -> int | None:
        """ns; None until the peer reported what it was sent, if it is sent anything."""
        for sender in (self.sender, self.sound_sender):
            if sender is not None and sender.round_trip is not None:
                return sender.round_trip
        return None

    @property
    def packets_lost_sending(self) -> int:
        """Of what it was sent, as the peer reports."""
        return sum(sender.packets_lost for sender in (self.sender, self.sound_sender) if sender is not None)

    async def add_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Takes addresses of the peer's that it learned of late."""
        await self._transport.add_candidates(candidates)

    async def gather(self) -> LocalTransport:
        """Binds the sockets. Raises TransportError."""
        return await self._transport.gather()

    def start(self, remote: RemoteTransport, on_connected: Callable[[], None] = lambda: None) -> None:
        """Connects in the background, and serves until the end."""
        self._task = asyncio.create_task(self._run(remote, on_connected), name="doppel-peer")

    def request_keyframe(self) -> None:
        """Asks the peer for a keyframe, if it sends."""
        if self.receiver is not None:
            self.receiver.request_keyframe(self._clock())

    async def close(self, reason: str = "closed by the server") -> None:
        """Ends the peer: tells it, and frees its sockets and timers. Safe to call twice, and from anywhere on the loop."""
        self._end(reason)
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self._limits.close_timeout)
        else:
            await self._shut(reason)

    async def _run(self, remote: RemoteTransport, on_connected: Callable[[], None]) -> None:
        reason = "closed"
        try:
            reason = await self._serve(remote, on_connected)
        except TransportError as error:
            reason = str(error)
        except Exception:  # the last boundary before the task ends unheard
            logger.exception("a peer failed")
            reason = "an error in the server ended it; its log says more"
        finally:
            await self._shut(reason)

    async def _serve(self, remote: RemoteTransport, on_connected: Callable[[], None]) -> str:
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
        on_connected()
        self._beat()
        await asyncio.wait([self._ended])
        return self._ended.result()

    async def _shut(self, reason: str) -> None:
        if self.connected:
            # One who only receives says goodbye by the SSRC of its reports.
            sources = [ssrc for ssrcs in self.ssrcs().values() for ssrc in ssrcs[:1]] or [self._ssrc]
            self._transport.send_rtcp(bytes(RtcpByePacket(sources=sources)))
        self.connected = False
        if self.sender is not None:
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
        if self.receiver is not None and video is not None:
            if packet.payload_type in video.codecs or packet.payload_type in video.rtx:
                self.receiver.rtp(packet, self._clock(), data)
                return
            if packet.payload_type == video.fec:
                self.receiver.repair(packet, self._clock())
                return
        if self.sound_receiver is not None:
            self.sound_receiver.rtp(packet, self._clock())

    def _rtcp(self, data: bytes) -> None:
        now = self._clock()
        # aiortc reads every transport layer feedback as a NACK, so these are taken out before.
        feedbacks, data = feedback.split(data)
        if self.sender is not None:
            for told in feedbacks:
                self.sender.transport_feedback(told, now)
        try:
            packets: list[AnyRtcpPacket] = RtcpPacket.parse(data)
        except (ValueError, IndexError, struct.error):
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                if self.receiver is not None:
                    self.receiver.sender_report(packet, now)
                if self.sound_receiver is not None:
                    self.sound_receiver.sender_report(packet, now)
            if isinstance(packet, RtcpByePacket):
                continue
            for sender in (self.sender, self.sound_sender):
                if sender is not None:
                    sender.rtcp(packet, now)
        if self.receiver is not None and self.sender is not None and self.sender.round_trip is not None:
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
        if self.receiver is not None:
            self.receiver.tick(now)
        if self.sender is not None:
            self.sender.tick(now)
        if now - self._reported < REPORT_INTERVAL:
            return
        self._reported = now
        for sender in (self.sender, self.sound_sender):
            report = sender.sender_report(now) if sender is not None else None
            if report is not None:
                self._transport.send_rtcp(report)
        blocks: list[RtcpReceiverInfo] = [
            block
            for receiver in (self.receiver, self.sound_receiver)
            if receiver is not None and (block := receiver.report(now)) is not None
        ]
        if blocks:
            self._transport.send_rtcp(bytes(RtcpRrPacket(ssrc=self._ssrc, reports=blocks)))
