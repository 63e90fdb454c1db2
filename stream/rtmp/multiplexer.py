"""One stream's pictures and sound, as the messages of one publisher."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from stream.rtmp import amf0, tag_writer
from stream.rtmp.limits import INTERLEAVED, INTERLEAVING, SOUND_ALONE
from stream.rtmp.message import AUDIO, DATA, VIDEO
from stream.rtmp.tag_writer import AccessUnit
from stream.sound.packet import SoundPacket

_TICKS = 720
"""720 kHz, in which pictures' 90 kHz and sound's 48 kHz are whole, in a ms."""

Write = Callable[[int, int, bytes], None]
"""Sends a message: its type, its time in ms, its body."""


class _Tag(NamedTuple):
    time: int
    kind: int
    body: bytes


class Multiplexer:
    """Begins at time 0 with a keyframe, or after SOUND_ALONE with sound; what came before that is left out.

    Messages leave in the order of their times. Only sound that comes more than INTERLEAVING late is sent after later pictures,
    with its own time: it would be out of step with another.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._zero: int | None = None
        """720 kHz."""
        self._first_sound: int | None = None
        self._pictures: deque[_Tag] = deque()
        self._sound: deque[_Tag] = deque()
        self._picture_time = self._sound_time = 0
        """ms, of the last; neither goes back."""
        self._size: tuple[int, int] | None = None
        self._heard = False
        self._announced: dict[str, amf0.Sendable] = {}
        self._parameter_sets: tuple[bytes, tuple[bytes, ...]] = (b"", ())
        self._configuration = b""

    @property
    def begun(self) -> bool:
        return self._zero is not None

    def picture(self, unit: AccessUnit, pts: int, keyframe: bool, size: tuple[int, int]) -> bool:
        """``pts`` in 90 kHz, ``size`` in px. Returns whether it is sent; the first must be a keyframe with parameter sets."""
        parameter_sets = (unit.sps, unit.pps)
        begins = keyframe and len(unit.sps) > 3 and bool(unit.pps)
        if not begins and self._size is None:
            return False
        if self._zero is None:
            self._zero = pts * 8
        if pts * 8 < self._zero:
            return False
        time = self._picture_time = max(self._time(pts * 8), self._picture_time)
        self._size = size
        self._announce(self._pictures, time)
        if begins and parameter_sets != self._parameter_sets:
            self._parameter_sets = parameter_sets
            self._pictures.append(_Tag(time, VIDEO, tag_writer.avc_header(*parameter_sets)))
        self._pictures.append(_Tag(time, VIDEO, tag_writer.avc_picture(unit.slices, keyframe=keyframe)))
        self._release()
        return True

    def sound(self, packet: SoundPacket) -> None:
        """AAC."""
        self._heard = True
        if self._first_sound is None:
            self._first_sound = packet.pts
        if self._zero is None and (packet.pts - self._first_sound) * 15 >= SOUND_ALONE * _TICKS:
            self._zero = packet.pts * 15
        if self._zero is None or packet.pts * 15 < self._zero:
            return
        time = self._sound_time = max(self._time(packet.pts * 15), self._sound_time)
        self._announce(self._sound, time)
        if packet.configuration != self._configuration:
            self._configuration = packet.configuration
            self._sound.append(_Tag(time, AUDIO, tag_writer.aac_header(packet.configuration)))
        self._sound.append(_Tag(time, AUDIO, tag_writer.aac_frame(packet.data)))
        self._release()

    def flush(self) -> None:
        """Sends what waits."""
        while self._pictures or self._sound:
            self._next()

    def _time(self, ticks: int) -> int:
        assert self._zero is not None
        return (ticks - self._zero + _TICKS // 2) // _TICKS

    def _announce(self, queue: deque[_Tag], time: int) -> None:
        """onMetaData, where it says something new."""
        properties: dict[str, amf0.Sendable] = {"encoder": "doppel"}
        if self._size is not None:
            properties |= {"videocodecid": 7}
        if self._size is not None and all(self._size):
            properties |= {"width": self._size[0], "height": self._size[1]}
        if self._heard:
            properties |= {"audiocodecid": 10, "audiosamplerate": 48_000, "audiosamplesize": 16, "stereo": True}
        if properties != self._announced:
            self._announced = properties
            queue.append(_Tag(time, DATA, amf0.encode("@setDataFrame", "onMetaData", properties)))

    def _release(self) -> None:
        """Sends what is known to be next, and what has waited long enough."""
        newest = max(self._picture_time, self._sound_time)
        while self._pictures or self._sound:
            both = self._pictures and self._sound
            if not both and len(self._pictures) + len(self._sound) <= INTERLEAVED:
                oldest = (self._pictures or self._sound)[0]
                if newest - oldest.time <= INTERLEAVING:
                    return
            self._next()

    def _next(self) -> None:
        """Sends the tag with the lowest time; a picture before sound of the same."""
        if not self._sound or (self._pictures and self._pictures[0].time <= self._sound[0].time):
            tag = self._pictures.popleft()
        else:
            tag = self._sound.popleft()
        self._write(tag.kind, tag.time & 0xFFFFFFFF, tag.body)
