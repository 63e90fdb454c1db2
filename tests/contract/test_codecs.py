"""What holds for every codec: its payload format and its encoder and decoder belong together."""

from __future__ import annotations

import pytest

from stream.codec import VideoEncoder
from stream.decoder import Decoder
from stream.limits import MTU_PAYLOAD
from stream.picture import EncodedPicture
from stream.rtc.assembler import Assembler
from stream.rtc.payload import FORMATS
from tests.stream.pictures import frame

pytestmark = pytest.mark.parametrize("codec", sorted(FORMATS))


def stream(codec: str, count: int, keyframes: tuple[int, ...] = (0,)) -> list[EncodedPicture]:
    encoder = VideoEncoder(codec, 3_000_000)
    pictures = []
    for number in range(count):
        encoder.want_keyframe = number in keyframes
        picture = encoder.encode(frame(number, 320, 240, grain=100))
        assert picture is not None
        pictures.append(picture)
    return pictures


def test_a_picture_survives_its_packets(codec: str) -> None:
    form = FORMATS[codec]
    straight, packed = Decoder(codec, 1 << 20), Decoder(codec, 1 << 20)
    for picture in stream(codec, 5):
        payloads = form.split(picture.data, MTU_PAYLOAD)
        assert len(payloads) > 2
        assert max(map(len, payloads)) <= MTU_PAYLOAD
        joined = form.join(payloads)
        assert form.split(joined, MTU_PAYLOAD) == payloads
        ((one,), (other,)) = (
            list(decoder.decode(EncodedPicture(data, picture.pts, picture.keyframe, codec, picture.timeline)))
            for decoder, data in ((straight, picture.data), (packed, joined))
        )
        assert all(bool((a == b).all()) for a, b in zip(one.planes, other.planes, strict=True))


def test_keyframes_are_told_from_others(codec: str) -> None:
    form = FORMATS[codec]
    for picture in stream(codec, 8, keyframes=(0, 3)):
        payloads = form.split(picture.data, MTU_PAYLOAD)
        assert form.is_keyframe(payloads) is picture.keyframe
        assert form.starts_keyframe(payloads[0]) is picture.keyframe
        assert not any(form.starts_keyframe(payload) for payload in payloads[2:])


def test_decoding_starts_at_every_keyframe(codec: str) -> None:
    for picture in stream(codec, 8, keyframes=(0, 3)):
        if picture.keyframe:
            assert len(list(Decoder(codec, 1 << 20).decode(picture))) == 1


def test_a_stream_goes_through_the_assembler(codec: str) -> None:
    form = FORMATS[codec]
    assembler = Assembler(form.starts_keyframe)
    sequence = 65_530
    for picture in stream(codec, 6, keyframes=(0, 4)):
        payloads = form.split(picture.data, MTU_PAYLOAD)
        done = []
        for index, payload in enumerate(payloads):
            done += assembler.push(sequence, picture.pts, index == len(payloads) - 1, payload, 0)
            sequence += 1
        ((taken, timestamp, _),) = done
        assert (taken, timestamp) == (payloads, picture.pts)


def test_the_encoder_is_made_once(codec: str) -> None:
    encoder = VideoEncoder(codec, 2_000_000, 4_000_000)
    for number in range(10):
        encoder.want_keyframe = number == 4
        encoder.bitrate = 2_000_000 + 20_000 * number
        picture = encoder.encode(frame(number))
        assert picture is not None
        assert picture.keyframe is (number in (0, 4))
    assert encoder.built == 1
    encoder.close()
    encoder.close()
