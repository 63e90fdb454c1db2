from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.rtmp.audio import AudioTrack
from stream.rtmp.errors import RtmpError
from stream.sound.packet import SoundPacket
from tests.stream.rtmp.media import sound_frames, tags

CONFIG = b"\x11\x90"


def one(track: AudioTrack, body: bytes, time: int = 0) -> SoundPacket | None:
    return track.packet(bytearray(body), time, 5)


@pytest.mark.parametrize("codec", ["AAC", "OPUS"])
def test_what_ffmpeg_writes_is_decoded_whole(codec: str) -> None:
    track = AudioTrack()
    found = [one(track, tag.body, tag.time) for tag in tags("H264", codec, 12) if tag.kind == 8]
    packets = [packet for packet in found if packet is not None]
    assert [(packet.codec, packet.received) for packet in packets] == [(codec, 5)] * len(packets)
    frames = sound_frames(codec, [packet.data for packet in packets], packets[0].configuration)
    assert {frame.sample_rate for frame in frames} == {48_000}
    assert sum(frame.samples for frame in frames) == pytest.approx(12 / 25 * 48_000, abs=4 * 1024)
    steps = [after.pts - before.pts for before, after in pairwise(packets)]
    assert steps == pytest.approx([(1024 if codec == "AAC" else 960)] * len(steps), abs=48)


def test_enhanced_aac_and_nanoseconds() -> None:
    track = AudioTrack()
    assert one(track, b"\x90mp4a" + CONFIG) is None
    assert one(track, b"\x97\x02\x07\xa1\x20\x01mp4adata", 100) == SoundPacket(b"data", 100 * 48 + 24, "AAC", CONFIG, 5)


def test_packets_before_their_sequence_header_are_skipped() -> None:
    track = AudioTrack()
    assert one(track, b"\xaf\1data") is None
    assert one(track, b"\x91Opusdata") is None
    assert track.skipped == 2
    one(track, b"\xaf\0" + CONFIG)
    assert one(track, b"\xaf\1data") is not None
    assert one(track, b"\x91Opusdata") is None


def test_of_several_tracks_one_is_taken() -> None:
    for track, data in ((AudioTrack(), b"ab"), (AudioTrack(1), b"cd")):
        one(track, b"\x95\x10Opus" + b"\0\0\0\2\x11\x11" + b"\1\0\0\2\x22\x22")
        found = one(track, b"\x95\x11Opus" + b"\0\0\0\2ab" + b"\1\0\0\2cd")
        assert found is not None
        assert found.data == data


@pytest.mark.parametrize("body", [b"\xaf", b"\xaf\1", b"\xaf\2x", b"\x92Opus", b"\x94Opus\1\2", b"\x91Opus"])
def test_what_holds_no_sound_is_passed_over(body: bytes) -> None:
    track = AudioTrack()
    one(track, b"\xaf\0" + CONFIG)
    assert one(track, body) is None
    assert one(track, b"\xaf\1data") is not None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\x2fmp3", "sound format 2 of FLV is not taken here; send one of AAC, OPUS"),
        (b"\x91ac-3data", "b'ac-3' is not taken here"),
        (b"\x90Opus\1", "a sequence header of 1 bytes"),
        (b"\xaf\0" + bytes(20_000), "a sequence header of 20000 bytes"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(RtmpError, match=words):
        one(AudioTrack(), body)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4))
@settings(max_examples=200)
def test_any_bytes_give_a_packet_or_an_error_of_ours(bodies: list[bytes]) -> None:
    track = AudioTrack()
    for body in bodies:
        try:
            found = one(track, body)
        except RtmpError:
            continue
        assert found is None or found.data
