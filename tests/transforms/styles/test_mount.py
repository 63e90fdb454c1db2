from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.transforms.faces.shapes import face_at
from tests.transforms.pictures import flat
from transforms.faces.blend import paste
from transforms.faces.sampling import Placement
from transforms.frame import Frame
from transforms.styles.mount import face_mask, head_mask, mount, resemblance
from transforms.styles.portrait import Portrait, Sitting

POINTS = F.pad(face_at(128.0, 128.0, scale=8.0)[:, :2], (0, 0, 0, 10), value=128.0)

PLACEMENT = Placement(320.0, 180.0, 200.0, 0.3)

WHITE = torch.ones((3, 256, 256))


def portrait(picture: Tensor = WHITE, points: Tensor = POINTS, time: float = 0.0) -> Portrait:
    return Portrait(Sitting(1, picture, points, time), picture, torch.ones((256, 256)), picture)


def mounted(
    *portraits: tuple[Portrait, float],
    mask: Tensor | None = None,
    placement: Placement = PLACEMENT,
    points: Tensor = POINTS,
    head: bool = False,
) -> Frame:
    frame = flat(640, 360, 60)
    mask = face_mask(points, 10.0) if mask is None else mask
    layer = mount(frame, placement, points, portraits, mask, now=0.0, natural=0.0, head=head)
    if layer is not None:
        paste(frame, *layer)
    return frame


def test_a_face_is_covered_and_nothing_else() -> None:
    frame = mounted((portrait(), 1.0))
    inside = PLACEMENT.to_frame(torch.tensor([[128.0, 128.0, 0.0]]), 256)[0].round().long().tolist()
    assert frame.planes.y[inside[1], inside[0]] == 235
    changed = (frame.planes.y != 60).nonzero()[:, [1, 0]].float()
    oval = PLACEMENT.to_frame(F.pad(POINTS[:468], (0, 1)), 256)[:, :2]
    low, high = oval.amin(0) - 3, oval.amax(0) + 3
    assert (changed + 1 >= low).all()
    assert (changed <= high).all()
    assert len(changed) > 3000


def test_its_edge_is_soft() -> None:
    y = mounted((portrait(), 1.0)).planes.y.float()
    assert torch.maximum(y.diff(dim=0).abs().max(), y.diff(dim=1).abs().max()) < 0.4 * (235 - 60)


@pytest.mark.parametrize(
    "placement",
    [
        Placement(0.0, 0.0, 200.0, 0.0),
        Placement(640.0, 360.0, 300.0, 1.0),
        Placement(-900.0, 20.0, 100.0, 0.0),
        Placement(320.0, 180.0, 5000.0, 2.0),
        Placement(320.0, 180.0, 17.0, 0.0),
    ],
)
def test_a_face_at_the_pictures_edge_or_beyond(placement: Placement) -> None:
    frame = mounted((portrait(), 1.0), placement=placement)
    assert tuple(frame.planes.y.shape) == (360, 640)


def test_no_mask_changes_nothing() -> None:
    frame = mounted((portrait(), 1.0), mask=torch.zeros((256, 256)))
    assert not frame.changed


def test_drawings_are_mixed_by_their_weights() -> None:
    black = portrait(torch.zeros((3, 256, 256)))
    frame = mounted((portrait(), 0.25), (black, 0.75))
    assert int(frame.planes.y[180, 320]) == pytest.approx(16 + 0.25 * 219, abs=1.5)


def test_a_drawing_of_this_very_frame_is_shown_as_it_is() -> None:
    picture = torch.rand((3, 32, 32), generator=torch.Generator().manual_seed(4))
    picture = F.interpolate(picture[None], (256, 256), mode="bicubic")[0].clamp(0, 1)
    placement = Placement(320.0, 180.0, 256.0, 0.0)
    frame = mounted((portrait(picture), 1.0), mask=torch.ones((256, 256)), placement=placement)
    shown = frame.rgb()[:, 52:308, 192:448][:, 8:-8, 8:-8]
    assert (shown - picture[:, 8:-8, 8:-8]).abs().mean() < 0.02


def test_an_earlier_drawing_follows_the_face() -> None:
    """A mark on the nose's tip goes where that is now."""
    picture = torch.zeros((3, 256, 256))
    x, y = POINTS[1].round().long().tolist()
    picture[:, y - 4 : y + 5, x - 4 : x + 5] = 1.0
    now = POINTS.clone()
    now[:468, 0] += 6.0
    placement = Placement(320.0, 180.0, 256.0, 0.0)
    luma = mounted((portrait(picture, time=-0.5), 1.0), placement=placement, points=now).planes.y.float().sub(60).clamp(min=0)
    assert luma.max() > 100
    middle = (luma.sum(0) * (torch.arange(640) + 0.5)).sum() / luma.sum()
    assert middle - (192 + x + 0.5) == pytest.approx(6.0, abs=1.0)


def test_a_face_that_has_not_moved_resembles_its_drawing() -> None:
    assert resemblance(POINTS, POINTS).min() == 1


def test_where_a_mouth_has_opened_the_live_one_shows() -> None:
    """Of the mean face, whose mouth is closed: the lower lip goes down."""
    now = POINTS.clone()
    lower = [95, 88, 178, 87, 14, 317, 402, 318, 324]
    now[lower, 1] += 12.0
    shown = resemblance(POINTS, now)
    x, y = ((now[13] + now[14]) / 2).round().long().tolist()
    assert shown[y, x] < 0.05
    assert shown[y + 30, x] > 0.9
    assert shown[y - 30, x] > 0.9
    closed = resemblance(now, POINTS)
    assert closed.min() > 0.9, "a mouth that has closed needs nothing"


def test_a_face_that_has_turned_away_is_not_covered_by_its_drawing() -> None:
    now = POINTS.clone()
    now[:468, 0] += 30.0
    assert resemblance(POINTS, now).max() == 0
    frame = mounted((portrait(time=-0.5), 1.0), points=now)
    assert (frame.planes.y == 60).all()


def test_a_heads_mask_keeps_to_the_person_and_to_the_square() -> None:
    person = torch.zeros((256, 256))
    person[40:, 60:200] = 1.0
    mask = head_mask(person, 8.0)
    assert mask[:, :56].max() == 0
    assert mask[-2:].max() == 0
    assert mask[120, 128] == 1
    assert mask.diff(dim=1).abs().max() < 0.35


def test_a_head_shows_only_where_one_was_drawn() -> None:
    drawn = portrait()
    drawn.head = torch.zeros((256, 256))
    drawn.head[:, 128:] = 1.0
    frame = mounted((drawn, 1.0), mask=torch.ones((256, 256)), placement=Placement(320.0, 180.0, 256.0, 0.0), head=True)
    assert (frame.planes.y[60:300, 200:310] == 60).all()
    assert (frame.planes.y[60:300, 330:440] == 235).all()
