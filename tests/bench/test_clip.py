from __future__ import annotations

import itertools

import av
import pytest

from bench import barcode, clip
from bench.luma import luma
from bench.psnr import psnr
from bench.returned import decoder_of


def test_the_loop_has_no_cut() -> None:
    order = [clip.source_index(number) for number in range(2 * clip.LOOP_FRAMES + 1)]
    assert order[: clip.LOOP_FRAMES] == order[clip.LOOP_FRAMES : 2 * clip.LOOP_FRAMES]
    assert set(order) == set(range(clip.SOURCE_FRAMES))
    assert all(abs(after - before) <= 1 for before, after in itertools.pairwise(order))


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_what_is_sent_is_numbered_and_has_its_keyframes(codec: str) -> None:
    original = clip.load()
    encoded = clip.encoded(codec, original)
    assert len(encoded.frames) == clip.LOOP_FRAMES
    rate = 8 * sum(map(len, encoded.frames)) * clip.FPS / clip.LOOP_FRAMES
    assert rate == pytest.approx(clip.SENT_BITRATE, rel=0.1)
    decoder = decoder_of(codec)
    for number, data in enumerate(encoded.frames[: clip.GOP_FRAMES + 5]):
        (picture,) = decoder.decode(av.Packet(data))
        assert picture.key_frame == (number % clip.GOP_FRAMES == 0)
        assert barcode.read(luma(picture)) == number
        assert psnr(luma(picture), original.original(number)) > 33


def test_h264_is_constrained_baseline() -> None:
    data = clip.encoded("H264").frames[0]
    start = data.index(b"\x00\x00\x01\x67") + 4
    assert data[start] == 66
    assert data[start + 1] & 0x40, "constraint_set1_flag"
