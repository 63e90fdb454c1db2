from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace

import av
import pytest

from stream.fmp4.header import opus_specific
from stream.fmp4.track import LONGEST
from stream.fmp4.writer import Writer
from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket
from tests.stream.egress.media import FPS, FRAME, PACKET, PACKETS, Seen, pictures, sound, ticks, together, watch

BEGAN = 77 * 90_000
"""90 kHz on the stream's clock, which is not the file's."""


class File:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.writer = Writer(self.parts.append)

    def put(self, items: Iterable[EncodedPicture | SoundPacket], later: int = BEGAN) -> File:
        """``later``: 90 kHz that is added to their times."""
        for item in items:
            if isinstance(item, EncodedPicture):
                self.writer.picture(replace(item, pts=item.pts + later))
            else:
                self.writer.sound(replace(item, pts=item.pts + later * 8 // 15))
        return self

    def watch(self, parts: int | None = None) -> Seen:
        return watch(io.BytesIO(b"".join(self.parts[:parts])))


def test_pictures_and_sound_are_in_the_file_at_their_times() -> None:
    file = File().put(together(pictures(5), sound(5)))
    file.writer.flush()
    seen = file.watch()
    assert seen.pictures == ticks(5 * FPS, FRAME)
    assert seen.keyframes == ticks(3, 2 * FPS * FRAME)
    # The first packet may come before the first picture, and is of its time.
    assert seen.sound == ticks(5 * PACKETS, PACKET, seen.sound[0])
    assert seen.sound[0] in (0, PACKET)
    assert seen.frames == 5 * FPS
    assert seen.samples == len(seen.sound) * PACKET


def test_it_says_what_it_is() -> None:
    file = File().put(together(pictures(2), sound(2)))
    file.writer.flush()
    with av.open(io.BytesIO(b"".join(file.parts))) as container:
        (video,), (audio,) = container.streams.video, container.streams.audio
        assert (video.codec_context.name, video.width, video.height) == ("h264", 64, 48)
        assert (audio.codec_context.name, audio.channels, audio.sample_rate) == ("opus", 2, 48_000)


def test_each_part_is_whole_boxes() -> None:
    file = File().put(together(pictures(4), sound(4)))
    kinds = []
    for part in file.parts:
        position = 0
        while position < len(part):
            size = int.from_bytes(part[position : position + 4])
            kinds.append(part[position + 4 : position + 8])
            position += size
        assert position == len(part)
    assert kinds[:2] == [b"ftyp", b"moov"]
    assert kinds[2:] == [b"moof", b"mdat"] * (len(file.parts) - 1)


def test_a_file_plays_up_to_every_fragment_and_what_is_not_written_is_short() -> None:
    file = File()
    for number, picture in enumerate(pictures(6)):
        file.put([picture])
        if number > FPS + 1:
            written = file.watch().pictures
            assert picture.pts - written[-1] <= 90_000 + FRAME
    for count in range(2, len(file.parts) + 1):
        seen = file.watch(count)
        assert seen.pictures == ticks(len(seen.pictures), FRAME)
        assert seen.frames == len(seen.pictures)


def test_a_keyframe_begins_a_fragment() -> None:
    file = File().put(pictures(6))
    firsts = [len(file.watch(count).pictures) for count in range(2, len(file.parts))]
    assert {2 * FPS, 4 * FPS} <= set(firsts)


def test_it_begins_with_the_first_keyframe() -> None:
    file = File().put(together(pictures(4), sound(4))[17:])
    file.writer.flush()
    seen = file.watch()
    assert seen.pictures == ticks(2 * FPS, FRAME)
    assert seen.keyframes[0] == 0
    assert 0 <= seen.sound[0] < PACKET


def test_sound_that_is_known_already_is_not_waited_for() -> None:
    file = File().put(sound(1))
    assert not file.parts
    file.put(pictures(1)[:1])
    assert len(file.parts) == 1


def test_sound_is_awaited_for_a_second_of_pictures() -> None:
    file = File().put(pictures(2)[:FPS])
    assert not file.parts
    late = sound(1)[-1:]
    file.put(late)
    file.put(pictures(2)[FPS:])
    file.writer.flush()
    seen = file.watch()
    assert seen.pictures == ticks(2 * FPS, FRAME)
    assert seen.sound == [late[0].pts]


def test_without_sound_it_is_pictures_only_and_stays_so() -> None:
    file = File().put(pictures(2)[: FPS + 1])
    assert file.parts
    file.put(sound(2)).put(pictures(2)[FPS + 1 :])
    file.writer.flush()
    seen = file.watch()
    assert seen.pictures == ticks(2 * FPS, FRAME)
    assert not seen.sound


@pytest.mark.parametrize("seconds", [3, LONGEST + 5, 40 * 3600])
def test_a_gap_stays_a_gap_in_both_tracks(seconds: int) -> None:
    file = File().put(together(pictures(2), sound(2))).put(together(pictures(2), sound(2)), BEGAN + seconds * 90_000)
    file.writer.flush()
    seen = file.watch()
    assert seen.pictures == ticks(2 * FPS, FRAME) + ticks(2 * FPS, FRAME, seconds * 90_000)
    assert seen.sound[-2 * PACKETS :] == ticks(2 * PACKETS, PACKET, seconds * 48_000)
    assert seen.frames == 4 * FPS


def test_what_waits_is_written_when_asked_and_the_next_goes_on_from_there() -> None:
    file = File().put(together(pictures(1), sound(1)))
    file.writer.flush()
    assert file.watch().pictures == ticks(FPS, FRAME)
    file.put(together(pictures(1), sound(1)), BEGAN + 90_000)
    file.writer.flush()
    file.writer.flush()
    seen = file.watch()
    assert seen.pictures == ticks(2 * FPS, FRAME)
    assert seen.sound[-PACKETS:] == ticks(PACKETS, PACKET, 48_000)


def test_sound_goes_on_while_pictures_pause() -> None:
    file = File().put(together(pictures(1), sound(5)))
    written = file.watch()
    assert written.pictures == ticks(FPS, FRAME)
    assert written.sound[-1] >= 48_000 * 3.9


def test_pictures_twice_a_second() -> None:
    rare = pictures(6)[:: FPS // 2]
    file = File().put(together(rare, sound(6)))
    assert rare[-1].pts - file.watch().pictures[-1] <= 90_000
    file.writer.flush()
    assert file.watch().pictures == [picture.pts for picture in rare]


def test_times_only_go_up() -> None:
    there, again = pictures(1), sound(1)
    file = File().put([there[0], again[0], again[0], there[0], there[2], there[1], again[3], again[2], there[3]])
    file.writer.flush()
    seen = file.watch()
    assert seen.pictures == [0, 2 * FRAME, 3 * FRAME]
    assert seen.sound == [0, 3 * PACKET]


def test_an_encoder_that_was_made_anew_says_so_in_the_pictures() -> None:
    other = pictures(1, 96, 64)
    assert other[0].data[:40] != pictures(1)[0].data[:40]
    file = File().put(pictures(1)).put(other, BEGAN + 90_000)
    file.writer.flush()
    with av.open(io.BytesIO(b"".join(file.parts)), "r") as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(64, 48)] * FPS + [(96, 64)] * FPS


@pytest.mark.parametrize("data", [b"", b"\0\0\1", b"no start code", b"\0\0\1\x65\x88"])
def test_a_keyframe_that_nobody_could_begin_with_is_passed_over(data: bytes) -> None:
    first = pictures(1)[0]
    file = File().put([replace(first, data=data)])
    file.writer.flush()
    assert not file.parts
    file.put(pictures(1))
    file.writer.flush()
    assert len(file.watch().pictures) == FPS


def test_nothing_at_all() -> None:
    file = File()
    file.writer.flush()
    assert not file.parts


def test_an_opus_head_is_kept_but_for_its_pre_skip() -> None:
    head = (
        b"OpusHead\1\1" + (312).to_bytes(2, "little") + (44_100).to_bytes(4, "little") + (-256).to_bytes(2, "little", signed=True)
    )
    assert opus_specific(head + b"\0") == b"\0\1\0\0" + (44_100).to_bytes(4) + (-256).to_bytes(2, signed=True) + b"\0"
    surround = head[:9] + b"\6" + head[10:] + b"\1" + b"\4\2" + bytes((0, 4, 1, 2, 3, 5))
    assert opus_specific(surround)[-9:] == b"\1\4\2" + bytes((0, 4, 1, 2, 3, 5))
    for broken in (b"", b"OpusHead", b"\0" * 19):
        assert opus_specific(broken)[1] == 2
