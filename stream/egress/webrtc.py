"""Pictures to WebRTC peers: split into RTP payloads once, in the encoder's thread, and sent by each peer on the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from stream.limits import DELIVERIES, MTU_PAYLOAD
from stream.picture import EncodedPicture
from stream.rtc.payload import FORMATS
from stream.rtc.sender import RtpSender


class WebRtcEgress:
    """Feeds the senders of one codec. ``add`` and ``remove`` are called on the loop."""

    def __init__(
        self,
        codec: str,
        *,
        on_sent: Callable[[EncodedPicture], None] = lambda _: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.codec = codec
        self._on_sent = on_sent
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._senders: list[RtpSender] = []
        self._given = 0
        """Pictures given to the loop; counted by the encoder's thread."""
        self._taken = 0
        """Pictures the loop has taken; counted by the loop."""

    def add(self, sender: RtpSender) -> None:
        self._senders.append(sender)

    def remove(self, sender: RtpSender) -> None:
        if sender in self._senders:
            self._senders.remove(sender)

    @property
    def ready(self) -> bool:
        if self._given - self._taken >= DELIVERIES:
            return False
        # One slow receiver of several does not slow the others: what it cannot take, its pacer drops.
        senders = self._senders
        return not senders or any(sender.ready for sender in senders)

    def send(self, picture: EncodedPicture) -> None:
        payloads = FORMATS[self.codec].split(picture.data, MTU_PAYLOAD)
        self._given += 1
        try:
            self._loop.call_soon_threadsafe(self._deliver, picture, payloads)
        except RuntimeError:
            # The loop has ended, and with it everybody who could have taken the picture.
            self._taken += 1

    def _deliver(self, picture: EncodedPicture, payloads: list[bytes]) -> None:
        self._taken += 1
        for sender in self._senders:
            sender.send(payloads, picture.pts, picture.keyframe)
        picture.timeline.sent = self._clock()
        self._on_sent(picture)
