from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from tests.footage import clip, frames
from tests.transforms.pictures import copied, copy_at, flat, noise, same
from transforms.frame import Frame
from transforms.portraits.watermark import AMPLITUDE, FOUND, LEAST_SIDE, Kind, Watermark, imprint, score

BITRATE = 1_000_000


def marked(frame: Frame) -> Frame:
    copy = Frame(copied(frame), pts=frame.pts, color=frame.color)
    imprint(copy)
    return copy


def encoded(pictures: list[Frame], bitrate: int) -> list[torch.Tensor]:
    """The luma after an x264 encode as for a stream, and a decode."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, 25), Fraction(25), bitrate
    encoder.options = {"preset": "veryfast", "tune": "zerolatency"}
    decoder = av.CodecContext.create("h264", "r")
    found: list[torch.Tensor] = []
    for number, picture in enumerate([*pictures, None]):
        if picture is not None:
            packed = np.concatenate([plane.numpy().reshape(-1) for plane in picture.planes])
            shape = picture.height * 3 // 2, picture.width
            frame = av.VideoFrame.from_ndarray(packed.reshape(shape), format="yuv420p")
            frame.pts = number
        for packet in encoder.encode(frame if picture is not None else None):
            found += [torch.from_numpy(shown.to_ndarray()[: shown.height].copy()) for shown in decoder.decode(packet)]
    found += [torch.from_numpy(shown.to_ndarray()[: shown.height].copy()) for shown in decoder.decode(None)]
    assert len(found) == len(pictures)
    return found


@pytest.mark.parametrize("name", ["protagonist", "talkingface"])
def test_the_pattern_is_found_after_an_encode_at_a_megabit(name: str) -> None:
    sources = list(frames(clip(name), 30))
    assert score(encoded([marked(frame) for frame in sources], BITRATE)) > FOUND
    assert abs(score(encoded(sources, BITRATE))) < 0.75 * FOUND


def test_it_is_found_in_a_smaller_picture() -> None:
    lumas = [marked(frame).planes.y for frame in frames(clip("protagonist"), 10)]
    small = [torch.nn.functional.interpolate(y[None, None].float(), (360, 640), mode="area")[0, 0].byte() for y in lumas]
    assert score(small) > FOUND


def test_nothing_is_found_where_nothing_is() -> None:
    assert score([]) == 0
    for seed in range(5):
        assert abs(score([noise(640, 360, seed=seed).planes.y])) < FOUND
    assert score([flat(640, 360).planes.y]) == 0


def test_it_changes_no_more_than_it_says_and_no_colour() -> None:
    before = flat(320, 240, 128)
    after = marked(before)
    change = (after.planes.y.int() - before.planes.y.int()).abs()
    assert 0 < int(change.max()) <= AMPLITUDE
    assert torch.equal(after.planes.u, before.planes.u)
    assert torch.equal(after.planes.v, before.planes.v)


def test_small_pictures_are_left_alone() -> None:
    before = noise(LEAST_SIDE - 1, LEAST_SIDE - 1)
    assert same(marked(before).planes, before.planes)


@pytest.mark.parametrize("kind", ["visible", "invisible"])
def test_no_portrait_no_mark(kind: Kind) -> None:
    frame = flat(320, 240)
    before = copied(frame)
    Watermark(kind).mark(frame, kind, 0.0, 0.04)
    assert same(frame.planes, before)


def test_the_sign_is_small_and_in_the_corner() -> None:
    frame = flat(640, 360, 128)
    before = copied(frame)
    Watermark("visible").mark(frame, "visible", 1.0, 0.0)
    rows, columns = (frame.planes.y != before.y).nonzero(as_tuple=True)
    assert len(rows) > 100
    assert int(rows.min()) > 0.9 * 360
    assert int(columns.min()) > 0.8 * 640


def test_a_change_of_kind_is_eased() -> None:
    mark, amounts = Watermark("none"), []
    for number in range(12):
        frame = copy_at(flat(640, 360, 128), number * 3000)
        mark.mark(frame, "visible", 1.0, 1 / 30)
        amounts.append(int((frame.planes.y.int() - 128).abs().max()))
    assert amounts[0] < 0.5 * amounts[-1]
    assert amounts == sorted(amounts)
