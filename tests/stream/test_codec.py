from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from av.video.frame import VideoFrame

from stream.codec import CodecError, VideoEncoder, to_picture
from stream.decoder import Decoder
from stream.picture import EncodedPicture
from tests.stream.pictures import FRAME, encoded, frame
from transforms.color import UNSPECIFIED, Color
from transforms.frame import Frame, Planes

CODECS = pytest.mark.parametrize("codec", ["H264", "VP8"])
PIXELS = 1 << 21


def encode(encoder: VideoEncoder, picture: Frame) -> EncodedPicture:
    made = encoder.encode(picture)
    assert made is not None
    return made


def decode(decoder: Decoder, picture: EncodedPicture) -> Frame:
    (seen,) = decoder.decode(picture)
    return seen


def difference(one: Frame, other: Frame) -> float:
    """Mean of the luma and chroma differences, codes."""
    pairs = zip(one.planes, other.planes, strict=True)
    return max((a.float() - b.float()).abs().mean().item() for a, b in pairs)


@CODECS
@pytest.mark.parametrize(("width", "height"), [(64, 48), (320, 180), (66, 50), (16, 16), (1280, 720)])
def test_pictures_come_back_as_they_were(codec: str, width: int, height: int) -> None:
    encoder, decoder = VideoEncoder(codec, 4_000_000), Decoder(codec, PIXELS)
    for number in range(3):
        source = frame(number, width, height, grain=0)
        picture = encode(encoder, source)
        assert (picture.width, picture.height, picture.codec, picture.pts) == (width, height, codec, number * FRAME)
        assert picture.keyframe is (number == 0)
        assert picture.timeline is source.timeline
        seen = decode(decoder, picture)
        assert (seen.width, seen.height, seen.pts, seen.time_base) == (width, height, number * FRAME, Fraction(1, 90_000))
        assert difference(seen, source) < 4


@CODECS
def test_an_unchanged_frame_is_encoded_from_the_decoders_own_picture(codec: str) -> None:
    seen = decode(Decoder("H264", PIXELS), encoded(1)[0])
    assert to_picture(seen, codec) is seen.source
    encode(VideoEncoder(codec, 1_000_000), seen)
    source = seen.source
    seen.writable().y[0] = 255
    assert to_picture(seen, codec) is not source
    assert torch.frombuffer(memoryview(to_picture(seen, codec).planes[0]), dtype=torch.uint8)[0] == 255


@pytest.mark.parametrize(
    "color",
    [
        Color(),
        Color(full_range=True),
        Color(full_range=False),
        Color(1, 1, 1, False),
        Color(1, 1, 1, True),
        Color(6, 6, 6, False),
    ],
)
def test_colour_is_signalled_and_read_back(color: Color) -> None:
    decoder = Decoder("H264", PIXELS)
    source = frame(0, color=color, grain=0)
    seen = decode(decoder, encode(VideoEncoder("H264", 2_000_000), source))
    # A stream that says nothing is BT.601, and leaves saying so.
    told = (6, 6, 6) if color.matrix == UNSPECIFIED else (color.primaries, color.transfer, color.matrix)
    assert (seen.color.primaries, seen.color.transfer, seen.color.matrix) == told
    assert bool(seen.color.full_range) is bool(color.full_range)
    assert difference(seen, source) < 4, "codes were converted on the way"
    # And once more through, as a loop does it.
    again = decode(Decoder("H264", PIXELS), encode(VideoEncoder("H264", 2_000_000), seen))
    assert again.color == seen.color
    assert difference(again, source) < 6


def test_full_range_is_not_squeezed_by_vp8() -> None:
    source = frame(0, color=Color(full_range=True), grain=0)
    seen = decode(Decoder("VP8", PIXELS), encode(VideoEncoder("VP8", 2_000_000), source))
    assert difference(seen, source) < 4


@CODECS
def test_a_new_size_makes_one_new_encoder_and_a_keyframe(codec: str) -> None:
    encoder, decoder = VideoEncoder(codec, 1_000_000), Decoder(codec, PIXELS)
    keyframes = []
    for number in range(12):
        size = (64, 48) if number < 4 else (96, 64) if number < 8 else (48, 64)
        picture = encode(encoder, frame(number, *size))
        keyframes.append(picture.keyframe)
        seen = decode(decoder, picture)
        assert (seen.width, seen.height) == size
    assert keyframes == [number % 4 == 0 for number in range(12)]
    assert encoder.built == 3


@CODECS
@pytest.mark.parametrize(
    ("scale", "size"), [(Fraction(3, 4), (240, 134)), (Fraction(1, 2), (160, 90)), (Fraction(1, 100), (2, 2))]
)
def test_a_smaller_scale_makes_a_smaller_picture_of_the_same_scene(codec: str, scale: Fraction, size: tuple[int, int]) -> None:
    encoder, decoder = VideoEncoder(codec, 1_000_000), Decoder(codec, PIXELS)
    source = frame(0, 320, 180, grain=0)
    decode(decoder, encode(encoder, source))
    encoder.scale = scale
    picture = encode(encoder, frame(1, 320, 180, grain=0))
    assert picture.keyframe
    assert (picture.width, picture.height, picture.pts) == (*size, FRAME)
    seen = decode(decoder, picture)
    assert (seen.width, seen.height) == size
    assert abs(seen.planes.y.float().mean() - source.planes.y.float().mean()) < 8


@CODECS
def test_a_keyframe_is_the_very_next_frame(codec: str) -> None:
    encoder, decoder = VideoEncoder(codec, 1_000_000), Decoder(codec, PIXELS)
    keyframes = []
    for number in range(40):
        encoder.want_keyframe = encoder.want_keyframe or number in (7, 8, 20)
        picture = encode(encoder, frame(number))
        keyframes += [number] * picture.keyframe
        decode(decoder, picture)
        if picture.keyframe:
            decode(Decoder(codec, PIXELS), picture)
    assert keyframes == [0, 7, 8, 20]
    assert encoder.built == 1


def rate(encoder: VideoEncoder, begin: int, seconds: int) -> float:
    """b/s of the last of these seconds."""
    sizes = [len(encode(encoder, frame(begin + number, 1280, 720, grain=60)).data) for number in range(30 * seconds)]
    return sum(sizes[-30:]) * 8


def test_h264_follows_the_bitrate_up_and_down_on_one_encoder() -> None:
    encoder = VideoEncoder("H264", 1_500_000, 4_000_000)
    for index, bitrate in enumerate((1_500_000, 1_800_000, 1_000_000)):
        encoder.bitrate = bitrate
        assert rate(encoder, index * 60, 2) == pytest.approx(bitrate, rel=0.25)
    assert encoder.built == 1


def test_h264_that_may_spend_much_more_gets_the_buffer_for_it_once() -> None:
    encoder = VideoEncoder("H264", 1_500_000, 4_000_000)
    encode(encoder, frame(0, 1280, 720, grain=60))
    encoder.bitrate = 4_000_000
    assert rate(encoder, 60, 3) == pytest.approx(4_000_000, rel=0.25)
    assert encoder.built == 2
    # Downwards only with a keyframe that is wanted anyway.
    encoder.bitrate = 1_000_000
    rate(encoder, 150, 3)
    assert encoder.built == 2
    encoder.want_keyframe = True
    assert encode(encoder, frame(240, 1280, 720, grain=60)).keyframe
    assert encoder.built == 3


@pytest.mark.parametrize("intervals", [(3000,), (6000,), (1500,), (3003, 2997)])
def test_h264_spends_its_bitrate_at_any_frame_rate(intervals: tuple[int, ...]) -> None:
    encoder = VideoEncoder("H264", 600_000, 4_000_000)
    pts = octets = 0
    for number in range(10_000):
        source = frame(number, 320, 180, grain=60)
        source.pts = pts
        picture = encode(encoder, source)
        octets += len(picture.data) if pts >= 2 * 90_000 else 0
        pts += intervals[number % len(intervals)]
        if pts >= 6 * 90_000:
            break
    assert octets * 8 / 4 == pytest.approx(600_000, rel=0.12)
    assert encoder.built == 1


def test_frames_that_are_left_out_now_and_then_do_not_make_the_others_larger() -> None:
    whole, gaps = VideoEncoder("H264", 600_000, 4_000_000), VideoEncoder("H264", 600_000, 4_000_000)
    sizes: dict[VideoEncoder, list[int]] = {whole: [], gaps: []}
    for number in range(120):
        for encoder in (whole, gaps):
            source = frame(number, 320, 180, grain=60)
            if encoder is gaps and number % 4 == 3:
                encoder.skipped(source.pts)
            elif encoder is whole or number % 5:
                sizes[encoder].append(len(encode(encoder, source).data))
    assert sum(sizes[gaps][-40:]) / 40 == pytest.approx(sum(sizes[whole][-40:]) / 40, rel=0.1)


def test_another_preset_makes_one_new_encoder_at_the_same_bitrate() -> None:
    encoder, decoder = VideoEncoder("H264", 1_000_000, 4_000_000), Decoder("H264", PIXELS)
    for index, preset in enumerate(("superfast", "ultrafast", "superfast")):
        encoder.preset = preset  # type: ignore[assignment]
        pictures = [encode(encoder, frame(60 * index + number, 1280, 720, grain=60)) for number in range(60)]
        assert [number for number, picture in enumerate(pictures) if picture.keyframe] == [0]
        assert sum(len(picture.data) for picture in pictures[-30:]) * 8 == pytest.approx(1_000_000, rel=0.25)
        for picture in pictures:
            decode(decoder, picture)
        assert encoder.built == index + 1


@pytest.mark.parametrize(("kept", "of"), [(2, 3), (1, 2)])
def test_h264_spends_its_bitrate_where_frames_are_left_out_for_the_machine(kept: int, of: int) -> None:
    encoder = VideoEncoder("H264", 600_000, 4_000_000)
    factors = set()
    octets = 0
    for number in range(360):
        if number % of < kept:
            picture = encode(encoder, frame(number, 320, 180, grain=60))
            if number >= 120:
                octets += len(picture.data)
                factors.add(encoder._interval.factor)
    assert factors == {of / kept}
    assert octets * 8 / 8 == pytest.approx(600_000, rel=0.12)
    assert encoder.built == 1


def test_vp8_follows_the_bitrate_with_a_new_encoder_only_where_it_must() -> None:
    encoder = VideoEncoder("VP8", 1_000_000, 4_000_000)
    for number, (bitrate, built) in enumerate([(1_000_000, 1), (1_200_000, 1), (800_000, 1), (2_000_000, 2), (2_100_000, 2)]):
        encoder.bitrate = bitrate
        encode(encoder, frame(90 * number))
        assert encoder.built == built
    # A swing so soon after is not worth a keyframe.
    for number, bitrate in ((450, 500_000), (451, 2_000_000)):
        encoder.bitrate = bitrate
        encode(encoder, frame(number))
        assert encoder.built == 3


@CODECS
@pytest.mark.parametrize("size", [(63, 47), (17, 2), (2, 17)])
def test_odd_edges_are_cut_to_even_ones(codec: str, size: tuple[int, int]) -> None:
    source = frame(0, *size, grain=0)
    seen = decode(Decoder(codec, PIXELS), encode(VideoEncoder(codec, 2_000_000), source))
    assert (seen.width, seen.height) == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert (seen.planes.y.float() - source.planes.y[: seen.height, : seen.width].float()).abs().mean() < 6


@CODECS
@pytest.mark.parametrize("size", [(1, 1), (1, 16), (16, 1)])
def test_what_is_too_small_to_encode_is_said(codec: str, size: tuple[int, int]) -> None:
    tiny = Planes(*(torch.zeros(size[1], size[0], dtype=torch.uint8) for _ in range(3)))._replace(
        u=torch.zeros(-(-size[1] // 2), -(-size[0] // 2), dtype=torch.uint8),
        v=torch.zeros(-(-size[1] // 2), -(-size[0] // 2), dtype=torch.uint8),
    )
    encoder = VideoEncoder(codec, 1_000_000)
    with pytest.raises(CodecError, match="too small"):
        encoder.encode(Frame(tiny))
    encode(encoder, frame(1))


@CODECS
def test_one_picture_in_one_frame_out(codec: str) -> None:
    encoder, decoder = VideoEncoder(codec, 1_000_000), Decoder(codec, PIXELS)
    for number in range(10):
        assert decode(decoder, encode(encoder, frame(number))).pts == number * FRAME


@CODECS
def test_timestamps_that_go_back_cost_a_picture_at_most(codec: str) -> None:
    encoder = VideoEncoder(codec, 1_000_000)
    lost = 0
    for number in [100, 101, 102, 7, 8, 8, 9, 10]:
        try:
            assert encoder.encode(frame(number)) is not None
        except CodecError:
            lost += 1
    assert lost <= 2
    encode(encoder, frame(200))


@CODECS
def test_an_encoder_that_failed_is_made_anew(codec: str) -> None:
    encoder = VideoEncoder(codec, 1_000_000)
    encode(encoder, frame(0))

    class Broken:
        def encode(self, picture: VideoFrame, keyframe: bool) -> tuple[bytes, bool]:
            raise CodecError("a frame cannot be encoded: out of order")

    encoder._encoder = Broken()  # type: ignore[assignment]
    with pytest.raises(CodecError):
        encoder.encode(frame(1))
    assert encode(encoder, frame(2)).keyframe
    assert encoder.built == 2
