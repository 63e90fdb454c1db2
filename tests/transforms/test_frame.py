from __future__ import annotations

import pytest
import torch

from tests.transforms.pictures import copied, flat, noise, same
from transforms.color import Color
from transforms.frame import Box, Frame, Planes


def test_reading_changes_nothing() -> None:
    source = object()
    frame = noise(64, 48)
    frame.source = source
    before = copied(frame)
    frame.rgb()
    frame.rgb(Box(2, 2, 10, 10))
    assert not frame.changed
    assert frame.source is source
    assert same(frame.planes, before)


def test_writing_leaves_the_decoders_planes_alone() -> None:
    frame = noise(64, 48)
    frame.source = object()
    theirs, before = frame.planes, copied(frame)
    frame.writable().y[:10] = 0
    assert same(theirs, before)
    assert frame.changed
    assert frame.source is None
    assert not same(frame.planes, before)


def test_the_second_write_copies_nothing() -> None:
    frame = noise(64, 48)
    first = frame.writable()
    assert frame.writable() is first


@pytest.mark.parametrize("color", [Color(), Color(matrix=1, full_range=True), Color(matrix=9), Color(matrix=6, full_range=False)])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_rgb_there_and_back(color: Color, size: tuple[int, int]) -> None:
    frame = flat(*size, code=100)
    frame.color = color
    frame.writable().u.fill_(110)
    frame.planes.v.fill_(150)
    before = copied(frame)
    frame.write_rgb(frame.rgb(), frame.box)
    for old, new in zip(before, frame.planes, strict=True):
        assert (old.int() - new.int()).abs().max() <= 1


def test_white_and_black_of_both_ranges() -> None:
    for full, black, white in ((False, 16, 235), (True, 0, 255)):
        for code, value in ((black, 0.0), (white, 1.0)):
            frame = flat(8, 8, code)
            frame.color = Color(full_range=full)
            assert torch.allclose(frame.rgb(), torch.full((3, 8, 8), value), atol=1e-5)


def test_known_colours_of_both_matrices() -> None:
    """Pure red in limited range: BT.601 (81, 90, 240), BT.709 (63, 102, 240)."""
    for matrix, code in ((6, (81, 90, 240)), (1, (63, 102, 240))):
        frame = flat(4, 4)
        frame.color = Color(matrix=matrix)
        frame.write_rgb(torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 4, 4), frame.box)
        assert tuple(int(plane[0, 0]) for plane in frame.planes) == code


def test_a_box_written_touches_nothing_else() -> None:
    frame = noise(64, 48)
    before = copied(frame)
    box = Box(9, 11, 30, 31).on_chroma_grid(64, 48)
    assert box == Box(8, 10, 30, 32)
    frame.write_rgb(torch.zeros(3, box.height, box.width), box)
    inside = torch.zeros(48, 64, dtype=torch.bool)
    inside[box.top : box.bottom, box.left : box.right] = True
    assert torch.equal(frame.planes.y[~inside], before.y[~inside])
    assert (frame.planes.y[inside] == 16).all()


def test_filling_hides_everything() -> None:
    frame = noise(31, 17)
    frame.fill(16)
    assert (frame.planes.y == 16).all()
    assert (frame.planes.u == 128).all()
    assert frame.planes.y.shape == (17, 31)


def test_planes_that_do_not_fit_are_refused() -> None:
    y, chroma = torch.zeros(4, 6, dtype=torch.uint8), torch.zeros(2, 3, dtype=torch.uint8)
    Frame(Planes(y, chroma, chroma))
    with pytest.raises(ValueError, match="chroma"):
        Frame(Planes(y, chroma[:1], chroma))
    with pytest.raises(ValueError, match="uint8"):
        Frame(Planes(y.float(), chroma, chroma))
