"""One publisher's time on a stream: its packets, put on the stream's own time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from stream.ingest import Ingest
from stream.limits import JUMP, KEYFRAME_PATIENCE, SECOND, SOUND_ALONE
from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket

PICTURE_RATE, SOUND_RATE = 90_000, 48_000
"""Hz, of time stamps."""

COMMON = 15
"""Ticks of pictures that are a whole number, 8, of sound's: by these both are moved, so that they stay together to the tick."""


class Publication:
    """Lives on the event loop. An ingest hands it what it receives, and says when it is over.

    A publisher's time stamps begin anywhere. Its first packet is put at the stream's present, or just after the last that
    the publisher before it left, and the rest keeps its distance; one that runs away from the time of arrival by over JUMP
    is taken for a clock that was set anew.
    """

    def __init__(
        self,
        *,
        began: int,
        after: Callable[[], int],
        on_begin: Callable[[Publication], None],
        on_picture: Callable[[EncodedPicture], None],
        on_sound: Callable[[SoundPacket], None],
        on_closed: Callable[[Publication, str], None],
        own_time: bool = False,
        keyframe_first: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``began`` is when the stream's time was 0, monotonic ns; ``after`` the last time stamp that it has used, 90 kHz.

        With ``own_time`` the stream has the publisher's time stamps as they are: a loop's peer knows its pictures again by them.

        With ``keyframe_first`` it begins with a picture that can be seen: one who takes over goes unnoticed until then. Sound by
        itself begins it where no picture comes for SOUND_ALONE, and so does a picture of any kind after KEYFRAME_PATIENCE.

        ``on_begin`` is called with the first packet, before that is handed on; ``on_closed`` once.
        """
        self.ingest: Ingest | None = None
        self.codec = ""
        """Of the last picture."""
        self.began: int | None = None
        """When the first packet came, monotonic ns."""
        self.heard = 0
        """When the last one came."""
        self.skipped = 0
        """Pictures before the first one that can be seen."""
        self._keyframe_first = keyframe_first
        self._first_picture: int | None = None
        self._first_sound: int | None = None
        self._asked: int | None = None
        """When it was asked for a keyframe."""
        self._zero = began
        self._own_time = own_time
        self._after = after
        self._on_begin = on_begin
        self._on_picture = on_picture
        self._on_sound = on_sound
        self._on_closed = on_closed
        self._clock = clock
        self._offset: int | None = None
        """90 kHz, a multiple of COMMON."""
        self._lost = 0
        self._over = False
        self._ending: asyncio.Task[None] | None = None

    def video(self, picture: EncodedPicture) -> None:
        """Takes a picture, in decoding order."""
        if self._over or not self._seen(picture):
            return
        offset = self._place(picture.pts, picture.timeline.received)
        self.codec = picture.codec
        self._on_picture(replace(picture, pts=picture.pts + offset))

    def sound(self, packet: SoundPacket) -> None:
        """Takes a packet of sound."""
        if self._over or not self._alone(packet):
            return
        offset = self._place(packet.pts * PICTURE_RATE // SOUND_RATE, packet.received)
        self._on_sound(replace(packet, pts=packet.pts + offset // COMMON * 8))

    def closed(self, reason: str) -> None:
        """The publisher is gone."""
        if not self._over:
            self._over = True
            self._on_closed(self, reason)

    def end(self, reason: str) -> asyncio.Task[None] | None:
        """Ends the publisher, in the background; it is not told of again. Again the same task, asked again."""
        self._over = True
        if self._ending is None and self.ingest is not None:
            self._ending = asyncio.create_task(self.ingest.close(reason), name="doppel-end-publisher")
        return self._ending

    def lost(self) -> int:
        """Times that pictures were lost on their way here, since this was asked last."""
        if self.ingest is None:
            return 0
        lost, self._lost = self.ingest.pictures_lost - self._lost, self.ingest.pictures_lost
        return lost

    def _seen(self, picture: EncodedPicture) -> bool:
        """Whether it has begun, or this picture may begin it."""
        now = picture.timeline.received
        if self.began is not None or not self._keyframe_first or picture.keyframe:
            return True
        if self._first_picture is None:
            self._first_picture = now
        if now - self._first_picture >= KEYFRAME_PATIENCE:
            # Some encoders refresh the picture bit by bit, and never send a keyframe.
            return True
        self.skipped += 1
        if self.ingest is not None and (self._asked is None or now - self._asked >= SECOND):
            self._asked = now
            self.ingest.request_keyframe()
        return False

    def _alone(self, packet: SoundPacket) -> bool:
        """Whether it has begun, or sound is all that comes."""
        if self.began is not None or not self._keyframe_first:
            return True
        if self._first_sound is None:
            self._first_sound = packet.received
        return self._first_picture is None and packet.received - self._first_sound >= SOUND_ALONE

    def _place(self, pts: int, received: int) -> int:
        """What to add to a time stamp (90 kHz) of what was received then (ns)."""
        self.heard = received
        if self.began is None:
            self.began = received
            if self._own_time:
                self._offset, self._zero = 0, received - pts * SECOND // PICTURE_RATE
            self._on_begin(self)
        present = (received - self._zero) * PICTURE_RATE // SECOND
        if self._offset is None or abs(pts + self._offset - present) > JUMP * PICTURE_RATE // SECOND:
            place = max(present, self._after() + 1)
            self._offset = -(-(place - pts) // COMMON) * COMMON
        return self._offset
