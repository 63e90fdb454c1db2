from __future__ import annotations

import dataclasses
import random
import re

import pytest
import torch
from av.video.frame import VideoFrame

from stream.codec import CodecError, VideoEncoder
from stream.decoder import DECODERS, TIMELINES, Decoder
from stream.picture import EncodedPicture
from tests.stream.pictures import FRAME, encoded, frame
from tests.stream.test_codec import PIXELS, decode, difference, encode
from transforms.frame import Frame, Timeline

CODECS = pytest.mark.parametrize("codec", ["H264", "VP8"])
"""Those that we encode."""

X264 = {"preset": "ultrafast", "sc_threshold": "0", "b-adapt": "0"}
X265 = "log-level=none:pools=1:frame-threads=1:rc-lookahead=4:b-adapt=0:scenecut=0"

STREAMS: dict[str, tuple[str, dict[str, str], int]] = {
    "H264": ("libx264", X264 | {"bf": "0"}, 0),
    "H264 for live": ("libx264", {"preset": "ultrafast", "tune": "zerolatency"}, 0),
    "H264, 2 B": ("libx264", X264 | {"bf": "2", "x264-params": "b-pyramid=none"}, 1),
    "H264, 3 B": ("libx264", X264 | {"bf": "3", "x264-params": "b-pyramid=none"}, 1),
    "H264, 3 B in a pyramid": ("libx264", X264 | {"bf": "3", "x264-params": "b-pyramid=normal"}, 2),
    "HEVC": ("libx265", {"preset": "ultrafast", "x265-params": f"{X265}:bframes=0"}, 0),
    "HEVC, 2 B": ("libx265", {"preset": "ultrafast", "x265-params": f"{X265}:bframes=2:b-pyramid=0"}, 1),
    "HEVC, 3 B in a pyramid": ("libx265", {"preset": "ultrafast", "x265-params": f"{X265}:bframes=3:b-pyramid=1"}, 2),
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}, 0),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}, 0),
    "VP9 with hidden pictures": (
        "libvpx-vp9",
        {"deadline": "good", "cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16"},
        0,
    ),
    "AV1": ("libsvtav1", {"preset": "12", "svtav1-params": "lp=1:pred-struct=1"}, 0),
    "AV1 with hidden pictures": ("libsvtav1", {"preset": "12", "svtav1-params": "lp=1:pred-struct=2"}, 0),
}
"""Encoder, options, and how many pictures a decoder must wait for, since a later one may have to be shown before."""

WAYS = pytest.mark.parametrize(("encoder", "options", "reorder"), STREAMS.values(), ids=STREAMS)


def frames(decoder: Decoder, pictures: list[EncodedPicture]) -> list[Frame]:
    return [seen for picture in pictures for seen in decoder.decode(picture)]


@WAYS
def test_frames_come_in_the_order_of_display_and_no_later_than_they_must(
    encoder: str, options: dict[str, str], reorder: int
) -> None:
    pictures = encoded(24, encoder=encoder, options=options, keyframes=12)
    decoder = Decoder(pictures[0].codec, PIXELS)
    assert (sorted(p.pts for p in pictures) != [p.pts for p in pictures]) is (reorder > 0)
    counts, seen = [], []
    for picture in pictures:
        given = list(decoder.decode(picture))
        counts.append(len(given))
        seen += given
    assert counts == [0] * reorder + [1] * (24 - reorder)
    rest = list(decoder.flush())
    assert len(rest) == reorder
    assert [each.pts for each in seen + rest] == [number * FRAME for number in range(24)]
    assert decoder.late == 0


@WAYS
def test_each_frame_has_the_timeline_of_its_own_picture(encoder: str, options: dict[str, str], reorder: int) -> None:
    pictures = encoded(12, encoder=encoder, options=options)
    decoder = Decoder(pictures[0].codec, PIXELS)
    timelines = {picture.pts: picture.timeline for picture in pictures}
    seen = frames(decoder, pictures) + list(decoder.flush())
    assert len(seen) == 12
    for each in seen:
        assert each.timeline is timelines[each.pts]


@WAYS
def test_a_stream_may_begin_anew_after_a_flush(encoder: str, options: dict[str, str], reorder: int) -> None:
    pictures = encoded(6, encoder=encoder, options=options)
    later = [dataclasses.replace(picture, pts=picture.pts + 100 * FRAME) for picture in pictures]
    decoder = Decoder(pictures[0].codec, PIXELS)
    first = frames(decoder, pictures) + list(decoder.flush())
    second = frames(decoder, later) + list(decoder.flush())
    assert [each.pts for each in second] == [each.pts + 100 * FRAME for each in first]
    assert len(second) == 6


@WAYS
def test_more_pixels_than_allowed_are_not_decoded(encoder: str, options: dict[str, str], reorder: int) -> None:
    pictures = encoded(4, encoder=encoder, options=options, width=320, height=240)
    codec = pictures[0].codec
    decoder = Decoder(codec, 320 * 240)
    assert len(frames(decoder, pictures) + list(decoder.flush())) == 4
    decoder = Decoder(codec, 320 * 240 - 1)
    with pytest.raises(CodecError, match=codec):
        frames(decoder, pictures)


def strip_reordering(picture: EncodedPicture) -> EncodedPicture:
    """H.264 whose parameter sets do not say how far pictures are out of order, as those of some hardware don't."""
    units = picture.data.split(b"\0\0\0\1")
    return dataclasses.replace(
        picture, data=b"\0\0\0\1".join(_without_vui(unit) if unit[:1] and unit[0] & 31 == 7 else unit for unit in units)
    )


def _without_vui(unit: bytes) -> bytes:
    """A sequence parameter set (H.264 section 7.3.2.1.1) without its last part, video usability information."""
    bits = "".join(f"{byte:08b}" for byte in unit.replace(b"\0\0\3", b"\0\0"))
    position = 32

    def number() -> int:
        nonlocal position
        zeros = bits.index("1", position) - position
        position += 2 * zeros + 1
        return int(bits[position - zeros - 1 : position], 2) - 1

    number()  # its id
    if unit[1] >= 100:
        assert number() == 1, "4:2:0"
        number()
        number()
        position += 2
    number()
    if number() == 0:
        number()
    number()
    position += 1
    number()
    number()
    assert bits[position] == "1", "frames"
    position += 2
    cropped = bits[position] == "1"
    position += 1
    if cropped:
        for _ in range(4):
            number()
    new = bits[:position] + "01"
    new += "0" * (-len(new) % 8)
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", bytes(int(new[i : i + 8], 2) for i in range(0, len(new), 8)))


@pytest.mark.parametrize(("way", "lost"), [("H264", 0), ("H264, 3 B", 2), ("H264, 3 B in a pyramid", 4)])
def test_a_stream_that_does_not_say_how_far_it_is_out_of_order_costs_a_few_frames(way: str, lost: int) -> None:
    encoder, options, reorder = STREAMS[way]
    pictures = [strip_reordering(picture) for picture in encoded(40, encoder=encoder, options=options)]
    decoder = Decoder("H264", PIXELS)
    counts = [len(list(decoder.decode(picture))) for picture in pictures]
    assert 40 - lost <= sum(counts) + len(list(decoder.flush())) <= 40
    assert counts[20:] == [1] * 20
    if not reorder:
        assert counts == [1] * 40


@pytest.mark.parametrize("way", ["H264", "VP8", "VP9", "AV1"])
def test_frames_whose_time_does_not_rise_are_dropped_and_counted(way: str) -> None:
    encoder, options, _ = STREAMS[way]
    pictures = encoded(8, encoder=encoder, options=options)
    times = [0, 1, 1, 3, 2, -5, 4, 5]
    decoder = Decoder(pictures[0].codec, PIXELS)
    given = [dataclasses.replace(picture, pts=time) for picture, time in zip(pictures, times, strict=True)]
    assert [seen.pts for seen in frames(decoder, given)] == [0, 1, 3, 4, 5]
    assert decoder.late == 3


def test_what_never_comes_out_is_not_remembered_for_ever() -> None:
    encoder, options, _ = STREAMS["H264"]
    _, *rest = encoded(10, encoder=encoder, options=options)
    decoder = Decoder("H264", PIXELS)
    for turn in range(20):
        for picture in rest:
            try:
                for _ in decoder.decode(dataclasses.replace(picture, pts=picture.pts + turn * 100 * FRAME)):
                    pass
            except CodecError:
                pass
    assert len(decoder._timelines) <= TIMELINES


def test_a_codec_that_nobody_knows() -> None:
    with pytest.raises(CodecError, match="send one of H264"):
        Decoder("MPEG2", PIXELS)


@CODECS
def test_planes_are_those_of_the_decoder(codec: str) -> None:
    """Nothing is copied, nothing converted: the planes hold what FFmpeg says that it decoded."""
    (picture, *_) = encoded(1, encoder="libx264" if codec == "H264" else "libvpx", options=None if codec == "H264" else {})
    seen = decode(Decoder(codec, PIXELS), picture)
    assert isinstance(seen.source, VideoFrame)
    assert not seen.changed
    for plane, tensor in zip(seen.source.planes, seen.planes, strict=True):
        assert tensor.data_ptr() == torch.frombuffer(memoryview(plane), dtype=torch.uint8).data_ptr()
        assert tensor.shape == (plane.height, plane.width)


@pytest.mark.parametrize(
    ("way", "pixels"),
    [
        *[("H264 for live", pixels) for pixels in ("yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "gray")],
        *[("HEVC", pixels) for pixels in ("yuv420p10le", "yuv422p10le", "yuv444p", "gbrp")],
        ("VP9", "yuv444p"),
        ("AV1", "yuv420p10le"),
    ],
)
def test_other_pixel_formats_become_8_bit_420(way: str, pixels: str) -> None:
    encoder, options, _ = STREAMS[way]
    pictures = encoded(2, encoder=encoder, options=options, pixels=pixels)
    decoder = Decoder(pictures[0].codec, PIXELS)
    seen, _ = frames(decoder, pictures)
    source = frame(0)
    assert seen.planes.y.shape == source.planes.y.shape
    assert (seen.planes.y.float() - source.planes.y.float()).abs().mean() < 10
    if pixels != "gray":
        assert (seen.planes.u.float() - source.planes.u.float()).abs().mean() < 4
        assert (seen.planes.v.float() - source.planes.v.float()).abs().mean() < 4
    if pixels == "gbrp":
        assert (seen.color.matrix, seen.color.full_range) == (6, False)
    encode(VideoEncoder("H264", 1_000_000), seen)


def test_full_range_422_stays_full_range() -> None:
    (picture,) = encoded(1, pixels="yuvj422p")
    seen = decode(Decoder("H264", PIXELS), picture)
    assert seen.color.full_range is True
    # libx264 was given limited range stretched to full: the decoder must hand over those codes, not squeeze them again.
    stretched = (frame(0).planes.y.float() - 16) * 255 / 219
    assert (seen.planes.y.float() - stretched.clamp(0, 255)).abs().mean() < 10


@pytest.mark.parametrize("way", ["HEVC", "AV1"])
def test_10_bits_of_full_range_stay_full_range(way: str) -> None:
    encoder, options, _ = STREAMS[way]
    pictures = encoded(1, encoder=encoder, options=options, pixels="yuv420p10le", full_range=True)
    seen = decode(Decoder(pictures[0].codec, PIXELS), pictures[0])
    assert seen.color.full_range is True
    assert (seen.planes.y.float() - frame(0).planes.y.float()).abs().mean() < 10


@CODECS
def test_hostile_bytes_are_refused_and_harm_nothing(codec: str) -> None:
    decoder = Decoder(codec, PIXELS)
    chance = random.Random(1)
    encoder = VideoEncoder(codec, 1_000_000)
    good = encode(encoder, frame(0))
    complaints = []
    for size in [0, 1, 2, 5, 50, 5000] * 20:
        data = chance.randbytes(size)
        if size % 2:
            cut = chance.randrange(len(good.data))
            data = good.data[:cut] + data
        try:
            for seen in decoder.decode(EncodedPicture(data, 0, False, codec, Timeline())):
                assert seen.width * seen.height <= PIXELS
        except CodecError as error:
            complaints.append(str(error))
    assert len(complaints) > 20
    assert all(codec in complaint for complaint in complaints)
    for number, tolerance in ((1, 1), (2, 0)):  # FFmpeg conceals a little more in the first one than there was to conceal
        encoder.want_keyframe = True
        good = encode(encoder, frame(number))
        assert difference(decode(decoder, good), decode(Decoder(codec, PIXELS), good)) <= tolerance


@pytest.mark.parametrize("codec", DECODERS)
def test_any_bytes_give_frames_or_an_error_of_ours(codec: str) -> None:
    way = next(way for way in STREAMS.values() if encoded(1, encoder=way[0], options=way[1])[0].codec == codec)
    pictures = encoded(6, encoder=way[0], options=way[1])
    chance = random.Random(2)
    refused = 0
    for _ in range(60):
        decoder = Decoder(codec, PIXELS)
        for picture in pictures:
            data = bytearray(picture.data)
            for _ in range(chance.randrange(4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                for seen in decoder.decode(dataclasses.replace(picture, data=bytes(data[: chance.randrange(1, 2 * len(data))]))):
                    assert seen.width * seen.height <= PIXELS
            except CodecError:
                refused += 1
    assert refused > 10
