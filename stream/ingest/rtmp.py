"""Pictures and sound from an RTMP publisher."""

from __future__ import annotations

import time
from collections.abc import Callable

from stream.picture import EncodedPicture
from stream.rtmp.amf0 import Value
from stream.rtmp.audio import AudioTrack
from stream.rtmp.connection import Connection
from stream.rtmp.video import VideoTrack
from stream.sound.packet import SoundPacket


class RtmpIngest:
    """A publisher that was let in: what ``RtmpServer``'s ``on_publish`` returns, and what a stream calls its ingest.

    Everything is called on the event loop's thread, in the order of decoding, and goes straight on. Time stamps are the
    publisher's own: they begin anywhere, anew with each connection, and how far pictures and sound are apart is its affair.
    """

    protocol = "rtmp"

    def __init__(
        self,
        connection: Connection,
        *,
        on_video: Callable[[EncodedPicture], None],
        on_audio: Callable[[SoundPacket], None] = lambda _: None,
        on_closed: Callable[[str], None] = lambda _: None,
        track: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``track`` is which of several tracks to take, of pictures and of sound; None takes the first of each."""
        self.pictures = VideoTrack(track)
        self.sound = AudioTrack(track)
        self.properties: dict[str, Value] = {}
        """onMetaData: what the publisher says of itself (encoder, framerate, ...); nothing of it was checked."""
        self._connection = connection
        self._on_video = on_video
        self._on_audio = on_audio
        self._on_closed = on_closed
        self._clock = clock

    @property
    def address(self) -> str:
        """The publisher's."""
        return self._connection.address

    @property
    def pictures_lost(self) -> int:
        return 0

    @property
    def packets_lost(self) -> int:
        """None: TCP repeats what was lost."""
        return 0

    @property
    def round_trip(self) -> int | None:
        """ns, as the kernel measures it of the little that a publisher is sent; None where it does not say."""
        return self._connection.round_trip

    def request_keyframe(self) -> None:
        """RTMP has no way to ask for one; the next comes when the publisher's settings say."""

    async def close(self, reason: str) -> None:
        """At once: the socket stays open until the publisher has read why, at most ``RtmpLimits.linger``."""
        self._connection.end(reason)

    def video(self, payload: bytearray, time: int) -> None:
        picture = self.pictures.picture(payload, time, self._clock())
        if picture is not None:
            self._on_video(picture)

    def audio(self, payload: bytearray, time: int) -> None:
        packet = self.sound.packet(payload, time, self._clock())
        if packet is not None:
            self._on_audio(packet)

    def metadata(self, properties: dict[str, Value]) -> None:
        self.properties = properties

    def closed(self, reason: str) -> None:
        self._on_closed(reason)
