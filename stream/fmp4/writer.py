"""A stream's pictures and sound to a file of fragments."""

from __future__ import annotations

from collections.abc import Callable

from stream.fmp4.fragment import Sample, fragment
from stream.fmp4.header import SOUND_TIMESCALE, SOUND_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, SoundEntry, VideoEntry, header
from stream.fmp4.track import FRAGMENT, Track
from stream.picture import EncodedPicture
from stream.rtmp.tag_writer import AccessUnit, access_unit
from stream.sound.packet import SoundPacket

SOUND_WAIT = 1 * VIDEO_TIMESCALE
"""90 kHz of pictures for which the first sound is awaited: a file says which tracks it has before anything else, and the sound of
a publisher begins within a few packets of its pictures.
"""

FRAME = VIDEO_TIMESCALE // 30
PACKET = SOUND_TIMESCALE // 50
"""Durations of the last picture and of the last packet of Opus, where nothing follows."""


class Writer:
    """Begins at the first keyframe, whose time is the file's zero. Plain and blocking; what ``write`` raises passes through.

    Each call of ``write`` gets whole boxes: the header, then a fragment each.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._origin = 0
        """90 kHz."""
        self._pictures: Track | None = None
        self._entry: VideoEntry | None = None
        self._sound: Track | None = None
        self._head: bytes | None = None
        """OpusHead, or nothing; None before the first sound."""
        self._begun = False
        """Whether the header is written."""
        self._fragments = 0

    def picture(self, picture: EncodedPicture) -> None:
        """H.264 in Annex B. One that is not later than those before is left out."""
        if self._pictures is None and not picture.keyframe:
            return
        unit = access_unit(picture.data)
        if self._pictures is None:
            if not unit.sps or not unit.pps:
                return
            self._origin = picture.pts
            self._entry = VideoEntry(unit.sps, unit.pps, picture.width, picture.height)
            self._pictures = Track(VIDEO_TRACK, VIDEO_TIMESCALE, FRAME)
        time = picture.pts - self._origin
        if not unit.slices or not self._add(self._pictures, Sample(self._data(unit), time, picture.keyframe)):
            return
        if not self._begun and (self._head is not None or time >= SOUND_WAIT):
            self._begin()
        # The keyframe is held back, and so begins the next fragment: players look for one there.
        if picture.keyframe or self._pictures.full:
            self._cut()

    def sound(self, packet: SoundPacket) -> None:
        """Opus. It is left out where it is earlier than the first picture, or the file has begun without sound."""
        if self._head is None:
            self._head = packet.configuration
        if self._pictures is None or (self._begun and self._sound is None):
            return
        if not self._begun:
            self._begin()
        assert self._sound is not None
        # 48 kHz / 90 kHz.
        time = packet.pts - self._origin * 8 // 15
        if time >= 0 and self._add(self._sound, Sample(packet.data, time, sync=True)) and self._sound.full:
            self._cut()

    def flush(self) -> None:
        """Writes everything: nothing comes for now, or nothing more."""
        if self._pictures is not None and not self._begun:
            self._begin()
        self._cut(everything=True)

    def _begin(self) -> None:
        assert self._entry is not None
        entry = None
        if self._head is not None:
            self._sound = Track(SOUND_TRACK, SOUND_TIMESCALE, PACKET)
            entry = SoundEntry(self._head)
        self._write(header(self._entry, entry))
        self._begun = True

    def _data(self, unit: AccessUnit) -> bytes:
        """The sample: parameter sets are in the header, but for those of an encoder that was made since."""
        assert self._entry is not None
        if not unit.sps or (unit.sps, unit.pps) == (self._entry.sps, self._entry.pps):
            return unit.slices
        return b"".join(len(each).to_bytes(4) + each for each in (unit.sps, *unit.pps)) + unit.slices

    def _add(self, track: Track, sample: Sample) -> bool:
        if not track.fits(sample.time):
            return False
        if track.leaps(sample.time):
            self.flush()
        track.add(sample)
        return True

    def _cut(self, *, everything: bool = False) -> None:
        """Writes what waits as a fragment. A track that fell behind is not held back: it has paused."""
        if not self._begun:
            return
        tracks = [track for track in (self._pictures, self._sound) if track is not None]
        now = max(track.seconds for track in tracks)
        taken = [track.take(everything=everything or now - track.seconds > FRAGMENT) for track in tracks]
        runs = [run for run in taken if run is not None]
        if runs:
            self._fragments += 1
            self._write(fragment(self._fragments, runs))
