from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decoder import Decoder
from stream.picture import EncodedPicture
from stream.rtmp.errors import RtmpError
from stream.rtmp.video import VideoTrack
from tests.stream.rtmp.media import FPS, Tag, tags, video_frames
from tests.stream.rtmp.test_configuration import AVC, START

HEADER = b"\x17\0\0\0\0" + AVC
FRAME = b"\0\0\0\2\x65x"


def pictures(bodies: tuple[Tag, ...], track: VideoTrack | None = None) -> list[EncodedPicture]:
    track = track or VideoTrack()
    found = (track.picture(bytearray(tag.body), tag.time, 5) for tag in bodies if tag.kind == 9)
    return [picture for picture in found if picture is not None]


def one(track: VideoTrack, body: bytes, time: int = 0) -> EncodedPicture | None:
    return track.picture(bytearray(body), time, 5)


@pytest.mark.parametrize("codec", ["H264", "HEVC", "AV1", "VP9"])
def test_what_ffmpeg_writes_is_decoded_whole(codec: str) -> None:
    given_tags = tags(codec, "", 12)
    found = pictures(given_tags)
    assert [picture.codec for picture in found] == [codec] * 12
    assert [picture.timeline.received for picture in found] == [5] * 12
    assert found[0].keyframe
    assert sum(picture.keyframe for picture in found) == 2
    frames = video_frames(codec, [picture.data for picture in found])
    levels = [float(frame.to_ndarray()[:90].mean()) for frame in frames]
    assert levels == pytest.approx([16 + 8 * index for index in range(12)], abs=3)
    times = sorted(picture.pts for picture in found)
    assert [time - times[0] for time in times] == pytest.approx([index * 90_000 / FPS for index in range(12)], abs=90)


@pytest.mark.parametrize("codec", ["H264", "HEVC", "AV1", "VP9"])
def test_a_decoder_can_begin_at_any_keyframe(codec: str) -> None:
    found = pictures(tags(codec, "", 12))
    second = [index for index, picture in enumerate(found) if picture.keyframe][1]
    frames = video_frames(codec, [picture.data for picture in found[second:]])
    assert len(frames) == len(found) - second


def test_b_frames_come_out_in_the_order_of_display() -> None:
    found = pictures(tags("H264", "", 12, options="bf=2:tune=animation"))
    stamps = [picture.pts for picture in found]
    assert stamps != sorted(stamps)
    decoder = Decoder("H264", 1920 * 1088)
    frames = [frame for picture in found for frame in decoder.decode(picture)]
    assert len(frames) >= len(found) - 2
    assert [frame.pts for frame in frames] == sorted(stamps)[: len(frames)]
    levels = [float(frame.planes.y.float().mean()) for frame in frames]
    assert levels == pytest.approx([16 + 8 * index for index in range(len(frames))], abs=3)


def test_without_b_frames_every_picture_is_out_at_once() -> None:
    decoder = Decoder("H264", 1920 * 1088)
    assert [len(list(decoder.decode(picture))) for picture in pictures(tags("H264", "", 12))] == [1] * 12


def test_h264_in_an_enhanced_tag() -> None:
    track = VideoTrack()
    assert one(track, b"\x90avc1" + AVC) is None
    coded = one(track, b"\x91avc1" + b"\0\0\x28" + FRAME, 100)
    assert coded is not None
    assert (coded.pts, coded.data) == (140 * 90, START + b"\x67ab" + START + b"\x68c" + START + b"\x65x")
    without = one(track, b"\xa3avc1" + FRAME, 100)
    assert without is not None
    assert (without.pts, without.data, without.keyframe) == (100 * 90, START + b"\x65x", False)


def test_the_composition_time_may_be_negative() -> None:
    track = VideoTrack()
    one(track, HEADER)
    found = one(track, b"\x27\1\xff\xff\xd8" + FRAME, 100)
    assert found is not None
    assert found.pts == 60 * 90


def test_nanoseconds_refine_the_time() -> None:
    track = VideoTrack()
    one(track, b"\x90avc1" + AVC)
    found = one(track, b"\x97\x02\x07\xa1\x20\x03avc1" + FRAME, 100)
    assert found is not None
    assert found.pts == 100 * 90 + 45


def test_a_codec_may_change_on_the_way() -> None:
    track = VideoTrack()
    first, second = pictures(tags("H264", "", 6), track), pictures(tags("VP9", "", 6), track)
    third = pictures(tags("H264", "", 6, width=320), track)
    assert (first[0].codec, second[0].codec, third[0].codec) == ("H264", "VP9", "H264")
    assert [frame.width for frame in video_frames("H264", [picture.data for picture in third])] == [320] * 6


def test_pictures_before_their_sequence_header_are_skipped() -> None:
    track = VideoTrack()
    assert one(track, b"\x17\1\0\0\0" + FRAME) is None
    assert one(track, b"\x91hvc1\0\0\0" + FRAME) is None
    assert one(track, b"\x91av01\x32\1f") is None
    assert track.skipped == 3
    one(track, HEADER)
    assert one(track, b"\x17\1\0\0\0" + FRAME) is not None
    # A sequence header of one codec is none for another.
    assert one(track, b"\x93hvc1" + FRAME) is None


def test_vp8_needs_no_sequence_header() -> None:
    found = one(VideoTrack(), b"\x91vp08data")
    assert found is not None
    assert (found.codec, found.data, found.keyframe) == ("VP8", b"data", True)


@pytest.mark.parametrize(
    "body",
    [
        b"\x17\2\0\0\0",
        b"\x17",
        b"\x17\1\0\0\0",
        b"\x57\0",
        b"\xd1\0",
        b"\x92avc1",
        b"\xd4avc1x",
        b"\x95av01x",
        b"\x93avc1",
        b"\x17\7\0\0\0x",
    ],
)
def test_what_holds_no_picture_is_passed_over(body: bytes) -> None:
    track = VideoTrack()
    one(track, HEADER)
    assert one(track, body) is None
    assert one(track, b"\x17\1\0\0\0" + FRAME) is not None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\x91vvc1data", "b'vvc1' is not taken here; send one of H264, HEVC, AV1, VP9, VP8"),
        (b"\x22abcdef", "video codec 2 of FLV is not taken here"),
        (b"\x91avc1\0", "cut off"),
        (b"\x17\1\0\0\0\0\0\1\0x", "longer than its picture"),
        (b"\x17\0\0\0\0\1", "cut off"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(body: bytes, words: str) -> None:
    track = VideoTrack()
    one(track, HEADER)
    with pytest.raises(RtmpError, match=words):
        one(track, body)


def many(*tracks: bytes) -> bytes:
    return b"".join(bytes((number,)) + len(track).to_bytes(3) + track for number, track in enumerate(tracks))


def test_of_several_tracks_one_is_taken() -> None:
    other = AVC.replace(b"\x67ab", b"\x67AB")
    for track, sets in ((VideoTrack(), b"\x67ab"), (VideoTrack(1), b"\x67AB")):
        assert one(track, b"\x96\x10avc1" + many(AVC, other)) is None
        found = one(track, b"\x96\x11avc1" + many(b"\0\0\0" + FRAME, b"\0\0\0" + FRAME))
        assert found is not None
        assert found.data == START + sets + START + b"\x68c" + START + b"\x65x"
    assert one(track, b"\x17\1\0\0\0" + FRAME) is None


def test_unknown_codecs_of_other_tracks_do_no_harm() -> None:
    track = VideoTrack()
    one(track, HEADER)
    assert one(track, b"\x96\x01vvc1\x01whatever") is None
    assert one(track, b"\x17\1\0\0\0" + FRAME) is not None


@given(
    st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4), st.sampled_from((b"", HEADER, b"\x90hvc1", b"\x90av01"))
)
@settings(max_examples=300)
def test_any_bytes_give_a_picture_or_an_error_of_ours(bodies: list[bytes], first: bytes) -> None:
    track = VideoTrack()
    for body in (first, *bodies):
        try:
            found = one(track, body) if body else None
        except RtmpError:
            continue
        assert found is None or found.data
