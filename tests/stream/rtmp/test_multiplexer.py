from __future__ import annotations

from stream.rtmp import amf0
from stream.rtmp.limits import INTERLEAVED, INTERLEAVING, SOUND_ALONE
from stream.rtmp.message import AUDIO, DATA, VIDEO
from stream.rtmp.multiplexer import Multiplexer
from stream.rtmp.tag_writer import AccessUnit
from stream.sound.packet import SoundPacket

KEYFRAME = AccessUnit(b"\x67\x42\xc0\x1e", (b"\x68pps",), b"\0\0\0\1\x65")
INTER = AccessUnit(b"", (), b"\0\0\0\1\x41")
SIZE = (64, 48)

START = 7_000_000
"""ms into the stream, at which the push begins."""


class Tape:
    """A multiplexer, and what it sends. Times in ms."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int, bytes]] = []
        self.multiplexer = Multiplexer(lambda kind, time, body: self.sent.append((kind, time, body)))

    def picture(self, time: float, unit: AccessUnit = INTER) -> bool:
        return self.multiplexer.picture(unit, round((START + time) * 90), unit is not INTER, SIZE)

    def sound(self, time: float, data: bytes = b"aac", configuration: bytes = b"\x11\x90") -> None:
        self.multiplexer.sound(SoundPacket(data, round((START + time) * 48), "AAC", configuration, 0))

    def flush(self) -> list[tuple[int, int]]:
        """Types and times of all."""
        self.multiplexer.flush()
        return [(kind, time) for kind, time, _ in self.sent]


def test_it_begins_with_a_keyframe_at_time_0() -> None:
    tape = Tape()
    tape.sound(-40)
    assert not tape.picture(-33)
    tape.sound(-10)
    assert tape.picture(0, KEYFRAME)
    tape.sound(11)
    assert tape.picture(33.3)
    assert tape.flush() == [(DATA, 0), (VIDEO, 0), (VIDEO, 0), (AUDIO, 11), (AUDIO, 11), (VIDEO, 33)]
    bodies = [body for _, _, body in tape.sent]
    assert bodies[1][:2] == b"\x17\0"
    assert bodies[2] == b"\x17\1\0\0\0" + KEYFRAME.slices
    assert bodies[3:5] == [b"\xaf\0\x11\x90", b"\xaf\1aac"]
    assert bodies[5] == b"\x27\1\0\0\0" + INTER.slices


def test_a_keyframe_without_parameter_sets_begins_nothing() -> None:
    tape = Tape()
    assert not tape.picture(0, AccessUnit(b"", (), b"\0\0\0\1\x65"))
    assert not tape.multiplexer.begun


def test_the_metadata_say_what_is_there() -> None:
    tape = Tape()
    tape.picture(0, KEYFRAME)
    tape.picture(33)
    tape.sound(40)
    tape.picture(66, KEYFRAME)
    tape.flush()
    [silent, sounding] = [amf0.decode(body) for kind, _, body in tape.sent if kind == DATA]
    assert silent == ["@setDataFrame", "onMetaData", {"encoder": "doppel", "videocodecid": 7, "width": 64, "height": 48}]
    assert isinstance(sounding[2], dict)
    assert sounding[2]["audiocodecid"] == 10


def test_sequence_headers_come_again_where_they_changed() -> None:
    tape = Tape()
    tape.picture(0, KEYFRAME)
    tape.picture(2000, KEYFRAME)
    tape.picture(4000, AccessUnit(b"\x67\x42\xc0\x1f", (b"\x68pps",), b"\0\0\0\1\x65"))
    tape.sound(4001)
    tape.sound(4010)
    tape.sound(4020, configuration=b"\x12\x10")
    tape.flush()
    headers = [(kind, time) for kind, time, body in tape.sent if kind != DATA and not body[1]]
    assert headers == [(VIDEO, 0), (VIDEO, 4000), (AUDIO, 4001), (AUDIO, 4020)]


def test_late_sound_still_goes_first() -> None:
    tape = Tape()
    tape.picture(0, KEYFRAME)
    for number in range(1, 60):
        tape.picture(number * 33)
        if number * 33 > 120:
            tape.sound(number * 33 - 120)
    times = [time for _, time in tape.flush()]
    assert times == sorted(times)


def test_pictures_wait_for_sound_so_long_and_no_longer() -> None:
    tape = Tape()
    tape.picture(0, KEYFRAME)
    tape.picture(INTERLEAVING)
    assert tape.sent == []
    tape.picture(INTERLEAVING + 1)
    assert [(kind, time) for kind, time, _ in tape.sent] == [(DATA, 0), (VIDEO, 0), (VIDEO, 0)]
    tape.sound(10)
    assert (AUDIO, 10) in [(kind, time) for kind, time, _ in tape.sent]


def test_what_waits_is_bounded_even_if_time_stands_still() -> None:
    tape = Tape()
    tape.picture(0, KEYFRAME)
    for _ in range(2 * INTERLEAVED):
        tape.picture(0)
    assert len(tape.sent) > INTERLEAVED
    assert len(tape.flush()) == 2 * INTERLEAVED + 3


def test_times_of_neither_go_back() -> None:
    tape = Tape()
    tape.picture(0, KEYFRAME)
    for time in (100, 60, 120):
        tape.picture(time)
        tape.sound(time)
    sent = tape.flush()
    for kind in (VIDEO, AUDIO):
        times = [time for other, time in sent if other == kind]
        assert times == sorted(times)


def test_without_pictures_sound_begins_alone() -> None:
    tape = Tape()
    for number in range(160):
        tape.sound(number * 20)
    times = [time for kind, time in tape.flush() if kind == AUDIO]
    assert times[:3] == [0, 0, 20]
    assert len(times) == 1 + 160 - SOUND_ALONE // 20
    assert tape.picture(160 * 20, KEYFRAME)
    assert tape.flush()[-1] == (VIDEO, 160 * 20 - SOUND_ALONE)


def test_time_wraps_at_32_bits() -> None:
    tape = Tape()
    tape.picture(0, KEYFRAME)
    tape.picture((1 << 32) + 5)
    assert tape.flush()[-1] == (VIDEO, 5)
