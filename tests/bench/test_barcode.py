from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from bench import barcode
from bench.luma import Luma, luma

WIDTH, HEIGHT = 640, 360


def picture(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Luma:
    """Noise in blocks, which costs an encoder more than a face does."""
    blocks = np.random.default_rng(seed).integers(0, 255, (height // 8 + 1, width // 8 + 1), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8), np.uint8))[:height, :width]


@given(number=st.integers(0, 0xFFFF), width=st.integers(96, 400), height=st.integers(16, 400))
def test_reads_what_was_drawn_at_any_size(number: int, width: int, height: int) -> None:
    plane = np.full((height, width), 128, np.uint8)
    barcode.draw(plane, number)
    assert barcode.read(plane) == number


def test_survives_x264_at_a_low_bitrate() -> None:
    encoder, decoder = av.CodecContext.create("libx264", "w"), av.CodecContext.create("h264", "r")
    assert isinstance(encoder, VideoCodecContext)
    assert isinstance(decoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.bit_rate, encoder.thread_count, encoder.time_base = 150_000, 1, Fraction(1, 30)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "maxrate": "150000", "bufsize": "75000"}
    numbers = [*range(40), 0xFFFF, 0, 0x5555, 0xAAAA]
    found = []
    size = 0
    for place, number in enumerate(numbers):
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = np.roll(picture(), 3 * place, axis=1)
        barcode.draw(planes[:HEIGHT], number)
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = place
        for packet in encoder.encode(frame):
            size += packet.size
            found += [barcode.read(luma(shown)) for shown in decoder.decode(packet)]
    assert size * 8 * 30 / len(numbers) < 1_500_000, "the pictures were meant to be starved of bits"
    assert found == numbers


def test_survives_scaling() -> None:
    plane = picture(width=1280, height=720).copy()
    barcode.draw(plane, 1234)
    planes = np.full((1080, 1280), 128, np.uint8)
    planes[:720] = plane
    small = VideoFrame.from_ndarray(planes, format="yuv420p").reformat(480, 270)
    assert barcode.read(luma(small)) == 1234


@pytest.mark.parametrize("code", [0, 16, 128, 255])
def test_a_covered_strip_holds_no_number(code: int) -> None:
    assert barcode.read(np.full((HEIGHT, WIDTH), code, np.uint8)) is None


def test_one_wrong_block_is_noticed() -> None:
    for bit in range(barcode.BITS):
        plane = np.full((HEIGHT, WIDTH), 128, np.uint8)
        barcode.draw(plane, 0x1234)
        block = plane[-barcode.strip_height(HEIGHT) :, bit * WIDTH // barcode.BITS : (bit + 1) * WIDTH // barcode.BITS]
        block[:] = barcode.WHITE + barcode.BLACK - block
        assert barcode.read(plane) is None


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="65535"):
        barcode.draw(np.zeros((HEIGHT, WIDTH), np.uint8), 1 << 16)
