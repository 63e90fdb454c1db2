"""Pictures to WebRTC peers: split into RTP payloads once, in the encoder's thread, and sent by each peer on the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from stream.limits import DELIVERIES, MTU_PAYLOAD
from stream.picture import EncodedPicture
from stream.rtc.payload import FORMATS
from stream.rtc.sender import RtpSender
from stream.rtc.sound import SoundSender
from stream.sound.packet import SoundPacket

AT_ONCE = 4
"""Receivers that a picture is sent to in one turn of the loop: under 1.5 ms at 2 Mb/s."""


class Member(Protocol):
    """A peer, as it is sent to."""

    @property
    def sender(self) -> RtpSender | None: ...

    @property
    def sound_sender(self) -> SoundSender | None: ...


class WebRtcEgress:
    """Feeds the peers that watch one rendition. ``add`` and ``remove`` are called on the loop."""

    def __init__(
        self,
        codec: str,
        *,
        on_sent: Callable[[WebRtcEgress, EncodedPicture], None] = lambda _, __: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.codec = codec
        self._on_sent = on_sent
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._members: list[Member] = []
        self._new: list[Member] = []
        """Those that have not had a keyframe yet: what comes before it is nothing to them."""
        self._given = 0
        """Pictures given to the loop; counted by the encoder's thread."""
        self._taken = 0
        """Pictures the loop has taken; counted by the loop."""

    def add(self, member: Member) -> None:
        self._members.append(member)
        self._new.append(member)

    def remove(self, member: Member) -> None:
        for members in (self._members, self._new):
            if member in members:
                members.remove(member)

    def awaits_keyframe(self, member: Member) -> bool:
        """Whether it has had none yet."""
        return member in self._new

    @property
    def ready(self) -> bool:
        if self._given - self._taken >= DELIVERIES:
            return False
        # One slow receiver of several does not slow the others: what it cannot take, its pacer drops.
        senders = [sender for member in self._members if (sender := member.sender) is not None]
        return not senders or any(sender.ready for sender in senders)

    def send(self, picture: EncodedPicture) -> None:
        payloads = FORMATS[self.codec].split(picture.data, MTU_PAYLOAD)
        self._given += 1
        try:
            self._loop.call_soon_threadsafe(self._deliver, picture, payloads)
        except RuntimeError:
            # The loop has ended, and with it everybody who could have taken the picture.
            self._taken += 1

    def sound(self, packet: SoundPacket) -> None:
        for member in self._members:
            if member.sound_sender is not None:
                member.sound_sender.send(packet)

    async def close(self, reason: str) -> None:
        self._members.clear()
        self._new.clear()

    def _deliver(self, picture: EncodedPicture, payloads: list[bytes], members: tuple[Member, ...] = ()) -> None:
        """Sends it to all, or to the rest of them: a few at a time, so that many do not hold up the loop."""
        members = members or tuple(self._members)
        for member in members[:AT_ONCE]:
            sender = member.sender
            if sender is not None and self._takes(member, sender, picture):
                sender.send(payloads, picture.pts, picture.keyframe)
        if rest := members[AT_ONCE:]:
            # Whatever is given out meanwhile comes behind it in each one's turn.
            self._loop.call_soon(self._deliver, picture, payloads, rest)
            return
        self._taken += 1
        picture.timeline.sent = self._clock()
        self._on_sent(self, picture)

    def _takes(self, member: Member, sender: RtpSender, picture: EncodedPicture) -> bool:
        """Whether a member is sent this picture: a new one begins with a keyframe, and one that comes from another rendition may
        have had that one's time already.
        """
        if member not in self._members:
            # It left meanwhile.
            return False
        if member not in self._new:
            return True
        last = sender.last_timestamp
        if not picture.keyframe or (last is not None and picture.pts <= last):
            return False
        self._new.remove(member)
        return True
