"""Where faces are cut out, and that they come back to where they were."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.transforms.pictures import copied, flat, noise, same, stripes
from transforms.faces.regions import FACE_OVAL
from transforms.frame import Frame
from transforms.packages.alignment import CROP, POINTS, Region, align
from transforms.packages.manifest import FaceCrop, Mask, Template
from transforms.packages.masks import MASK_SIZE, mask_of
from transforms.packages.paste import cut, paste

TEMPLATES: list[Template] = ["arcface_112", "arcface_128", "ffhq", "crop", "box"]
MASKS: list[Mask] = ["oval", "mesh", "lower", "square"]


def landmarks(points: dict[int, tuple[float, float]] | None = None) -> Tensor:
    """478 points on a ring, with some moved."""
    angle = torch.arange(478) / 478 * 2 * torch.pi
    ring = torch.stack((200 + 60 * angle.cos(), 150 + 80 * angle.sin(), torch.zeros(478)), 1)
    for index, (x, y) in (points or {}).items():
        ring[index, :2] = torch.tensor([x, y])
    return ring


def turned(points: list[tuple[float, float]], scale: float, angle: float, x: float, y: float) -> Tensor:
    """Landmarks whose five points are those of a template, scaled, turned and moved."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    found = {
        index: (px * cos - py * sin + x, px * sin + py * cos + y)
        for group, (px, py) in zip(POINTS, points, strict=True)
        for index in group
    }
    return landmarks(found)


ARCFACE = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.0])
def test_arcface_of_a_turned_face(angle: float) -> None:
    region = align(FaceCrop(template="arcface_112", size=112), turned(ARCFACE, 2.0, angle, 31.0, 17.0))
    assert (region.x, region.y) == pytest.approx((31, 17), abs=1e-3)
    assert region.across == pytest.approx((224 * math.cos(angle), 224 * math.sin(angle)), abs=1e-3)
    assert region.down == pytest.approx((-224 * math.sin(angle), 224 * math.cos(angle)), abs=1e-3)


def test_arcface_128_is_112_with_room_around() -> None:
    region = align(FaceCrop(template="arcface_128", size=128), turned(ARCFACE, 1.0, 0.0, 0.0, 0.0))
    assert (region.x, region.y, *region.across, *region.down) == pytest.approx((-8, 0, 128, 0, 0, 128), abs=1e-3)


def test_crop_is_one_and_a_half_times_the_face_and_turns_with_it() -> None:
    upright = landmarks({33: (170, 130), 263: (230, 130)})
    region = align(FaceCrop(template="crop", size=256), upright)
    assert region.side == pytest.approx(160 * CROP, rel=1e-3)
    assert (region.x + region.across[0] / 2, region.y + region.down[1] / 2) == pytest.approx((200, 150), abs=0.1)
    angle = 0.4
    matrix = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    rolled = torch.cat((upright[:, :2] @ matrix, upright[:, 2:]), 1)
    assert math.atan2(*reversed(align(FaceCrop(template="crop", size=256), rolled).across)) == pytest.approx(angle, abs=1e-4)


def test_box_has_the_faces_own_proportions_and_margins() -> None:
    region = align(FaceCrop(template="box", size=96, margin=(0, 0.5, 0.25, 0)), landmarks())
    assert region.down == pytest.approx((0, 200), abs=0.1)
    assert region.across == pytest.approx((180, 0), abs=0.1)
    assert (region.x, region.y) == pytest.approx((140, 70), abs=0.1)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_face_of_nothing_at_all(template: Template) -> None:
    region = align(FaceCrop(template=template, size=64), torch.full((478, 3), 5.0))
    assert region.side > 0
    assert bool(region.inside(torch.full((478, 3), 5.0)).isfinite().all())
    cut(flat(16, 16), region, 64)


def test_inside_is_the_way_back_of_corners() -> None:
    region = Region(10, 20, (30, 5), (-6, 40))
    corners = torch.tensor([[*corner, 7.0] for corner in region.corners])
    inside = region.inside(corners)
    assert torch.allclose(inside[:, :2], torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]]), atol=1e-5)
    assert inside[0, 2].item() == pytest.approx(7 / region.side)


def slope(width: int, height: int) -> Frame:
    """Luma that rises by one code a px to the right and down."""
    frame = flat(width, height)
    frame.writable().y.copy_((torch.arange(width)[None] + torch.arange(height)[:, None]).clamp(max=255).to(torch.uint8))
    return Frame(frame.planes)


@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_each_pixel_of_a_crop_is_the_frames_at_its_place(angle: float) -> None:
    region = Region(60, 40, (48 * math.cos(angle), 48 * math.sin(angle)), (-48 * math.sin(angle), 48 * math.cos(angle)))
    crop = cut(slope(161, 121), region, 48)[1]
    u, v = ((at + 0.5) / 48 for at in (30, 9))
    x = 60 + u * region.across[0] + v * region.down[0]
    y = 40 + u * region.across[1] + v * region.down[1]
    wanted = (x - 0.5 + y - 0.5 - 16) / 219
    assert crop[9, 30].item() == pytest.approx(wanted, abs=0.3 / 219)


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (161, 121), (640, 361)])
@pytest.mark.parametrize(
    "region",
    [
        Region(-50, -50, (80, 10), (-10, 80)),
        Region(150, 100, (300, 0), (0, 300)),
        Region(5000, 0, (80, 0), (0, 80)),
        Region(-900, -900, (5, 0), (0, 5)),
        Region(math.inf, 0, (80, 0), (0, 80)),
    ],
)
def test_regions_at_and_beyond_the_edge(size: tuple[int, int], region: Region) -> None:
    frame = noise(*size)
    if math.isfinite(region.x):
        assert bool(cut(frame, region, 32).isfinite().all())
    paste(frame, region, torch.rand((3, 32, 32)), torch.ones((32, 32)))
    assert (frame.width, frame.height) == size


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_what_was_cut_out_is_pasted_back_to_where_it_was(angle: float) -> None:
    x, y = torch.arange(320)[None], torch.arange(240)[:, None]
    frame = flat(320, 240)
    frame.writable().y.copy_((128 + 60 * (x / 17).sin() * (y / 23).cos()).to(torch.uint8))
    before = copied(frame)
    region = Region(120, 60, (128 * math.cos(angle), 128 * math.sin(angle)), (-128 * math.sin(angle), 128 * math.cos(angle)))
    paste(frame, region, cut(frame, region, 128), torch.ones((128, 128)))
    assert (frame.planes.y.int() - before.y.int()).abs().max().item() <= 3


def test_where_the_mask_is_zero_nothing_is_changed() -> None:
    frame = noise(321, 241)
    before = copied(frame)
    mask = torch.zeros((64, 64))
    paste(frame, Region(100, 50, (64, 0), (0, 64)), torch.rand((3, 64, 64)), mask)
    assert same(frame.planes, before)
    mask[20:40, 20:40] = 1
    paste(frame, Region(100, 50, (64, 0), (0, 64)), torch.zeros((3, 64, 64)), mask)
    changed = frame.planes.y != before.y
    assert bool(changed[72:88, 122:138].float().mean() > 0.9)
    changed[68:92, 118:142] = False
    assert not bool(changed.any())


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("feather", [0.01, 0.1, 0.3])
def test_masks_are_full_inside_and_nothing_at_the_rim(mask: Mask, feather: float) -> None:
    angle = torch.arange(478) / 478 * 2 * torch.pi
    points = torch.stack((0.5 + 0.45 * angle.cos(), 0.5 + 0.45 * angle.sin()), 1)
    round_ = torch.arange(len(FACE_OVAL)) / len(FACE_OVAL) * 2 * torch.pi
    points[list(FACE_OVAL)] = torch.stack((0.5 + 0.45 * round_.sin(), 0.5 - 0.45 * round_.cos()), 1)
    drawn = mask_of(FaceCrop(template="ffhq", size=64, mask=mask, feather=feather), points)
    assert drawn.shape == (MASK_SIZE, MASK_SIZE)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    for rim in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert rim.max().item() == 0
    middle = drawn[MASK_SIZE * 3 // 5, MASK_SIZE // 2].item()
    assert middle > 0.9
    if mask == "lower":
        assert drawn[: int(MASK_SIZE * (0.5 - feather)) - 1].sum().item() == 0


def test_it_reads_what_the_frame_has_and_not_its_neighbours() -> None:
    frame = stripes(200, 120)
    assert torch.allclose(cut(frame, Region(20, 20, (64, 0), (0, 64)), 64), frame.rgb()[:, 20:84, 20:84], atol=1e-3)
