"""How pictures and sound go out: one file per protocol, behind ``Egress``."""

from __future__ import annotations

from typing import Protocol

from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket


class Egress(Protocol):
    """A receiver of what a stream sends. Time stamps of pictures and sound have the same zero, and only go up."""

    codec: str
    """"H264" or "VP8": what ``send`` takes."""

    @property
    def ready(self) -> bool:
        """Whether it can take a picture now. If nobody can, none is encoded: to drop one after encoding would break those that
        follow. Called from the encoder's thread.
        """

    def send(self, picture: EncodedPicture) -> None:
        """Takes a picture. Called from the encoder's thread; returns at once. An egress that cannot take it (it was not ready,
        while another was) passes over all up to the next keyframe, and counts them.
        """

    def sound(self, packet: SoundPacket) -> None:
        """Takes a packet of Opus. Called on the loop; returns at once."""

    async def close(self, reason: str) -> None:
        """Ends it: what it holds is written or let go, within a bounded time. Safe to call twice."""
