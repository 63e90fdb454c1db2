"""Pictures and sound from a WebRTC peer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from stream.picture import EncodedPicture
from stream.rtc.alignment import Alignment, Mapping
from stream.rtc.parameters import Media
from stream.rtc.peer import Peer, PeerConfig
from stream.sound.packet import SoundPacket


class WebRtcIngest:
    """A peer that publishes, and, on a loop, watches too."""

    def __init__(
        self,
        config: PeerConfig,
        media: Media,
        protocol: str,
        *,
        epoch: int | None = None,
        on_video: Callable[[EncodedPicture], None] = lambda _: None,
        on_audio: Callable[[SoundPacket], None] = lambda _: None,
        on_closed: Callable[[str], None] = lambda _: None,
        on_keyframe_request: Callable[[], None] = lambda: None,
        on_bitrate: Callable[[int], None] = lambda _: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.protocol = protocol
        self._on_video = on_video
        self._on_audio = on_audio
        self._loop = asyncio.get_running_loop()
        self._alignment = Alignment(self._picture_mapping, self._sound_mapping)
        self.peer = Peer(
            config,
            media,
            epoch=epoch,
            on_picture=self._picture,
            on_sound=self._sound,
            on_keyframe_request=on_keyframe_request,
            on_bitrate=on_bitrate,
            on_closed=on_closed,
            clock=clock,
        )

    @property
    def packets_lost(self) -> int:
        receivers = (self.peer.receiver, self.peer.sound_receiver)
        return sum(receiver.packets_lost for receiver in receivers if receiver is not None)

    @property
    def pictures_lost(self) -> int:
        return self.peer.receiver.pictures_lost if self.peer.receiver is not None else 0

    @property
    def round_trip(self) -> int | None:
        return self.peer.round_trip

    def request_keyframe(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self.peer.request_keyframe)
        except RuntimeError:
            # The loop has ended; there is nobody left to ask.
            return

    async def close(self, reason: str) -> None:
        await self.peer.close(reason)

    def _picture(self, picture: EncodedPicture) -> None:
        self._on_video(replace(picture, pts=self._alignment.picture(picture.pts, picture.timeline.received)))

    def _sound(self, packet: SoundPacket) -> None:
        pts = self._alignment.sound(packet.pts, packet.received)
        if pts is not None:
            self._on_audio(replace(packet, pts=pts))

    def _picture_mapping(self) -> Mapping | None:
        return self.peer.receiver.mapping if self.peer.receiver is not None else None

    def _sound_mapping(self) -> Mapping | None:
        return self.peer.sound_receiver.mapping if self.peer.sound_receiver is not None else None
