"""Small pictures of what a stream shows."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from stream.thumbnail import FRESH, WIDTH, Thumbnail, jpeg
from transforms.color import Color, rgb_to_yuv
from transforms.frame import Frame, Planes

HALVES = ((0.9, 0.2, 0.1), (0.1, 0.3, 0.8))
"""RGB of the left and the right half."""

OFF = 4 / 255
"""JPEG's error in a plain area, and that of 8-bit YUV."""


def frame(width: int, height: int, color: Color) -> Frame:
    rgb = torch.empty(3, height, width)
    rgb[:, :, : width // 2] = torch.tensor(HALVES[0])[:, None, None]
    rgb[:, :, width // 2 :] = torch.tensor(HALVES[1])[:, None, None]
    return Frame(Planes(*rgb_to_yuv(rgb, color)), color=color)


@pytest.mark.parametrize("full_range", [False, True, None])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_come_as_they_are(matrix: int, full_range: bool | None) -> None:
    with Image.open(io.BytesIO(jpeg(frame(1280, 720, Color(matrix=matrix, full_range=full_range))))) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (WIDTH, WIDTH * 720 // 1280)
        for x, wanted in zip((40, WIDTH - 40), HALVES, strict=True):
            seen = picture.convert("RGB").getpixel((x, 90))
            assert isinstance(seen, tuple)
            assert [code / 255 for code in seen] == pytest.approx(wanted, abs=OFF)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (62, 34), (2, 2), (320, 2000)])
def test_a_small_one_keeps_its_size(width: int, height: int) -> None:
    with Image.open(io.BytesIO(jpeg(frame(width, height, Color())))) as picture:
        assert picture.size == (width, height)


class Show:
    """A stream, and its clock."""

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self.now = 10 * FRESH
        self.thumbnail = Thumbnail(lambda: self.frame, lambda: self.now)


async def test_nothing_is_shown() -> None:
    show = Show()
    assert await show.thumbnail.get() is None
    show.frame = frame(64, 48, Color())
    assert await show.thumbnail.get() is not None
    show.frame = None
    assert await show.thumbnail.get() is None, "what was shown is not shown any more"


async def test_one_is_given_out_again_while_it_is_fresh() -> None:
    show = Show()
    show.frame = frame(64, 48, Color())
    first = await show.thumbnail.get()
    show.frame = frame(32, 48, Color())
    show.now += FRESH - 1
    assert await show.thumbnail.get() is first
    show.now += 1
    second = await show.thumbnail.get()
    assert second != first
    show.now += 100 * FRESH
    assert await show.thumbnail.get() is second, "the same frame was made into a picture twice"
