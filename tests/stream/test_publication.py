"""A publisher's packets on a stream's own time."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.limits import JUMP, KEYFRAME_PATIENCE, SECOND, SOUND_ALONE
from stream.picture import EncodedPicture
from stream.publication import Publication
from stream.sound.packet import SoundPacket
from transforms.frame import Timeline

FRAME = 3000
"""90 kHz."""


@dataclass
class Ears:
    began: int = 5 * SECOND
    last: int = 0
    pictures: list[EncodedPicture] = field(default_factory=list)
    sounds: list[SoundPacket] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def publication(self, own_time: bool = False, keyframe_first: bool = False) -> Publication:
        return Publication(
            own_time=own_time,
            keyframe_first=keyframe_first,
            began=self.began,
            after=lambda: self.last,
            on_begin=lambda _: self.told.append("begins"),
            on_picture=self.pictures.append,
            on_sound=self.sounds.append,
            on_closed=lambda _, reason: self.told.append(reason),
        )

    @property
    def pts(self) -> list[int]:
        return [picture.pts for picture in self.pictures]


def picture(pts: int, at: float, keyframe: bool = True) -> EncodedPicture:
    """``at``: s of the monotonic clock."""
    return EncodedPicture(b"picture", pts, keyframe, "H264", Timeline(received=int(at * SECOND)))


def sound(pts: int, at: float) -> SoundPacket:
    return SoundPacket(b"sound", pts, "OPUS", b"", int(at * SECOND))


def test_the_first_packet_is_put_at_the_present() -> None:
    ears = Ears()
    publication = ears.publication()
    publication.video(picture(1_000_000, 7.0))
    publication.video(picture(1_000_000 + FRAME, 7.5))
    assert 180_000 <= ears.pts[0] < 180_015
    assert ears.pts[1] - ears.pts[0] == FRAME
    assert ears.told == ["begins"]


def test_sound_keeps_its_distance_to_the_pictures_to_the_tick() -> None:
    ears = Ears()
    publication = ears.publication()
    for number in range(100):
        publication.video(picture(777_777 + number * FRAME, 6 + number / 30))
        publication.sound(sound((777_777 + number * FRAME) * 8 // 15, 6 + number / 30))
    for shown, heard, number in zip(ears.pictures, ears.sounds, range(100), strict=True):
        before = (777_777 + number * FRAME) - (777_777 + number * FRAME) * 8 // 15 * 15 / 8
        assert shown.pts - heard.pts * 15 / 8 == before


def test_sound_may_come_first() -> None:
    ears = Ears()
    publication = ears.publication()
    publication.sound(sound(480, 6.0))
    publication.video(picture(900 + 1500, 6.1))
    assert ears.pts[0] * 8 // 15 - ears.sounds[0].pts == 800


def test_another_publisher_goes_on_after_the_last_time_stamp() -> None:
    ears = Ears(last=500_000)
    publication = ears.publication()
    publication.video(picture(0, 6.0))
    assert 500_000 < ears.pts[0] <= 500_016


def test_pictures_with_b_frames_keep_their_order() -> None:
    ears = Ears()
    publication = ears.publication()
    for pts in (0, 3 * FRAME, FRAME, 2 * FRAME):
        publication.video(picture(pts, 6.0))
    assert [(pts - ears.pts[0]) // FRAME for pts in ears.pts] == [0, 3, 1, 2]


def test_a_clock_that_was_set_anew_is_followed_by_pictures_and_sound() -> None:
    ears = Ears()
    publication = ears.publication()
    publication.video(picture(0, 6.0))
    far = 2 * JUMP * 90_000 // SECOND
    publication.video(picture(far, 6.5))
    publication.sound(sound(far * 8 // 15, 6.5))
    assert abs(ears.pts[1] - ears.pts[0] - 45_000) <= 30
    assert abs(ears.sounds[0].pts - ears.pts[1] * 8 // 15) <= 8


def test_a_loop_keeps_the_publishers_time_unless_its_clock_is_set_anew() -> None:
    ears = Ears()
    publication = ears.publication(own_time=True)
    far = 4_000_000_000
    publication.video(picture(far, 6.0))
    publication.sound(sound((far + 4500) * 8 // 15, 6.05))
    publication.video(picture(far + 90_000, 7.0))
    publication.video(picture(far + 90_000_000, 7.1))
    assert ears.pts[:2] == [far, far + 90_000]
    assert [packet.pts for packet in ears.sounds] == [(far + 4500) * 8 // 15]
    assert abs(ears.pts[2] - ears.pts[1] - 9_000) <= 15


def test_a_late_burst_is_no_new_clock() -> None:
    ears = Ears()
    publication = ears.publication()
    publication.video(picture(0, 6.0))
    publication.video(picture(FRAME, 8.0))
    assert ears.pts[1] - ears.pts[0] == FRAME


async def test_after_its_end_nothing_is_taken() -> None:
    ears = Ears()
    publication = ears.publication()
    publication.video(picture(0, 6.0))
    publication.closed("it hung up")
    publication.closed("again")
    publication.video(picture(FRAME, 6.1))
    publication.sound(sound(0, 6.1))
    assert (len(ears.pictures), len(ears.sounds), ears.told) == (1, 0, ["begins", "it hung up"])


async def test_one_that_is_ended_is_not_told_of() -> None:
    ended: list[str] = []

    class Fake:
        protocol = "fake"
        packets_lost = 0
        pictures_lost = 5
        round_trip = None

        def request_keyframe(self) -> None:
            raise AssertionError

        async def close(self, reason: str) -> None:
            ended.append(reason)

    ears = Ears()
    publication = ears.publication()
    publication.ingest = Fake()
    task = publication.end("another publisher took over")
    assert task is not None
    assert publication.end("again") is task
    await task
    publication.closed("it hung up")
    assert (ended, ears.told) == (["another publisher took over"], [])
    assert (publication.lost(), publication.lost()) == (5, 0)


@dataclass
class Asked:
    """An ingest of which keyframes are asked."""

    times: int = 0
    protocol: str = "whip"
    packets_lost: int = 0
    pictures_lost: int = 0
    round_trip: int | None = None

    def request_keyframe(self) -> None:
        self.times += 1

    async def close(self, reason: str) -> None:
        raise AssertionError(reason)


def test_one_who_takes_over_begins_with_a_picture_that_can_be_seen() -> None:
    ears = Ears()
    publication = ears.publication(keyframe_first=True)
    publication.ingest = asked = Asked()
    for number in range(45):
        publication.video(picture(number * FRAME, 6 + number / 30, keyframe=False))
        publication.sound(sound(number * FRAME * 8 // 15, 6 + number / 30))
    assert (ears.told, ears.pictures, ears.sounds) == ([], [], [])
    assert (publication.skipped, asked.times) == (45, 2)
    publication.video(picture(45 * FRAME, 7.5))
    publication.video(picture(46 * FRAME, 7.53, keyframe=False))
    publication.sound(sound(46 * FRAME * 8 // 15, 7.53))
    assert ears.told == ["begins"]
    assert (len(ears.pictures), len(ears.sounds), publication.skipped) == (2, 1, 45)


def test_sound_by_itself_takes_over_too() -> None:
    ears = Ears()
    publication = ears.publication(keyframe_first=True)
    alone = SOUND_ALONE / SECOND
    publication.sound(sound(0, 6.0))
    publication.sound(sound(960, 6.02))
    assert ears.told == []
    publication.sound(sound(int(alone * 48_000), 6.0 + alone))
    assert (ears.told, len(ears.sounds)) == (["begins"], 1)


def test_a_stream_without_keyframes_takes_over_in_the_end() -> None:
    ears = Ears()
    publication = ears.publication(keyframe_first=True)
    publication.video(picture(0, 6.0, keyframe=False))
    publication.video(picture(FRAME, 6.0 + KEYFRAME_PATIENCE / SECOND, keyframe=False))
    assert (ears.told, len(ears.pictures), publication.skipped) == (["begins"], 1, 1)
