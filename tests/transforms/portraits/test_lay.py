from __future__ import annotations

import math

import pytest
import torch

from tests.transforms.pictures import copied, flat, same
from transforms.color import Color
from transforms.faces.mesh import VERTICES
from transforms.faces.raster import polygon
from transforms.faces.regions import FACE_OVAL, LEFT_EYE, LIPS_INNER
from transforms.frame import Box, Frame
from transforms.portraits.bare import bare, eroded
from transforms.portraits.creases import blinks, mouth_width, smile_lines
from transforms.portraits.drawn import drawn
from transforms.portraits.lay import Look, Parts, lay
from transforms.portraits.layout import layout
from transforms.portraits.portrait import frame_of
from transforms.portraits.texture import LARGEST, SIZES, STEP, Texture

CPU = torch.device("cpu")
ALL = Look(1.0, 1.0)


@pytest.fixture(scope="module")
def texture() -> Texture:
    return Texture(drawn(), CPU)


def parts(share: float = 1.0) -> Parts:
    where = layout(CPU)
    return Parts(where.share * share, where.skin, where.skin, torch.zeros(VERTICES))


def portrait_frame() -> Frame:
    return frame_of(drawn().rgb, CPU)


def laid(frame: Frame, texture: Texture, look: Look = ALL, share: float = 1.0) -> Frame:
    size = texture.size(texture.pick(400, None), frame.color)
    lay(frame, drawn().landmarks, parts(share), size, drawn().pose.scale, look)
    return frame


def test_a_portrait_on_itself_changes_next_to_nothing(texture: Texture) -> None:
    frame = portrait_frame()
    before = copied(frame)
    laid(frame, texture)
    difference = (frame.planes.y.int() - before.y.int()).abs().float()
    assert float(difference.mean()) < 1
    assert float(difference.quantile(0.99)) < 10


def test_nothing_changes_beyond_the_face_and_in_its_openings(texture: Texture) -> None:
    frame = flat(480, 480, 90)
    before = copied(frame)
    laid(frame, texture)
    points, box = drawn().landmarks[:, :2], Box(0, 0, 480, 480)
    changed = frame.planes.y != before.y
    assert changed.float().mean() > 0.2
    # Shares are interpolated between cells of up to 4 px.
    assert not changed[polygon(points[list(FACE_OVAL)], box, 16) == 0].any()
    for loop in (LEFT_EYE, LIPS_INNER):
        rim = points[list(loop)]
        deep = polygon(rim.mean(0) + (rim - rim.mean(0)) * 0.25, box) == 1
        assert deep.any()
        # The mask is drawn at half size, and these eyes are narrow.
        assert float((frame.planes.y.int() - before.y.int())[deep].abs().max()) <= 3


def test_nothing_shown_is_nothing_changed(texture: Texture) -> None:
    for look, share in ((Look(0.0, 1.0), 1.0), (ALL, 0.0)):
        frame = portrait_frame()
        before = copied(frame)
        laid(frame, texture, look, share)
        assert same(frame.planes, before)


def test_light_from_the_side_stays_on_its_side(texture: Texture) -> None:
    frame = portrait_frame()
    planes = frame.writable()
    ramp = torch.linspace(0.4, 1.0, 480)[None]
    planes.y.copy_((planes.y.float() * ramp).round().byte())
    before = copied(frame)
    laid(frame, texture)
    for vertex in (50, 280):
        x, y = drawn().landmarks[vertex, :2].long().tolist()
        here = (slice(y - 8, y + 8), slice(x - 8, x + 8))
        assert float(frame.planes.y[here].float().mean()) == pytest.approx(float(before.y[here].float().mean()), rel=0.06)


def test_the_skin_takes_on_the_live_colour_as_far_as_asked(texture: Texture) -> None:
    def shift(match: float) -> float:
        frame = portrait_frame()
        frame.writable().u.add_(20)
        laid(frame, texture, Look(1.0, match))
        x, y = (drawn().landmarks[50, :2] / 2).long().tolist()
        before = int(portrait_frame().planes.u[y, x])
        return float(frame.planes.u[y - 3 : y + 3, x - 3 : x + 3].float().mean()) - before

    assert shift(1.0) == pytest.approx(20, abs=2)
    assert shift(0.0) == pytest.approx(0, abs=2)
    assert shift(0.0) < shift(0.5) < shift(1.0)


def test_any_size_and_place(texture: Texture) -> None:
    size = texture.size(4, Color())
    for width, height in ((2, 2), (3, 5), (64, 33), (181, 319)):
        for factor, offset in ((0.2, 0.0), (1.0, -200.0), (3.0, 50.0), (0.01, 5.0), (1.0, 4000.0)):
            frame = flat(width, height)
            lay(frame, drawn().landmarks * factor + offset, parts(), size, 23 * factor, ALL)
            assert (frame.width, frame.height) == (width, height)
    frame = flat(64, 64)
    before = copied(frame)
    lay(frame, torch.full((478, 3), math.nan), parts(), size, 20.0, ALL)
    assert same(frame.planes, before)


def test_a_size_is_kept_until_another_is_clearly_better(texture: Texture) -> None:
    assert texture.pick(LARGEST, None) == 0
    assert texture.pick(LARGEST / STEP**3, None) == 3
    assert texture.pick(1.0, None) == SIZES - 1
    between = LARGEST / STEP**2.6
    assert texture.pick(between, 2) == 2
    assert texture.pick(between, 3) == 3
    heights = [texture.size(which, Color()).luma.shape[2] for which in range(SIZES)]
    assert heights == sorted(heights, reverse=True)


def test_hair_is_no_skin() -> None:
    portrait = drawn()
    points, scale = portrait.landmarks[:VERTICES], portrait.pose.scale
    clean = bare(portrait_frame(), points, scale)
    inner = layout(CPU).share > 0.9
    assert float(clean[inner].mean()) > 0.95
    rgb = portrait.rgb.clone()
    fringe = int(points[151, 1])
    rgb[:, : fringe + 10] = torch.tensor([0.2, 0.12, 0.08])[:, None, None]
    covered = bare(frame_of(rgb, CPU), points, scale)
    forehead = points[:, 1] < fringe
    assert float(covered[forehead].max()) == 0
    assert float(covered[points[:, 1] > fringe + 60].min()) >= float(clean[points[:, 1] > fringe + 60].min())
    assert bool((eroded(covered) <= covered).all())


def test_folds_go_when_the_portraits_smile_is_wider() -> None:
    width = mouth_width(drawn().landmarks, drawn().pose.scale)
    assert 4 < width < 6
    assert float(smile_lines(width, width, CPU).max()) == 0
    wide = smile_lines(width + 1.5, width, CPU)
    assert float(wide.max()) > 0.8
    assert float(wide[list(LIPS_INNER)].max()) < 0.2


def test_live_lids_show_when_they_close() -> None:
    landmarks = drawn().landmarks.clone()
    assert float(blinks(landmarks).max()) < 0.4
    landmarks[list(LEFT_EYE), 1] = landmarks[list(LEFT_EYE), 1].mean()
    closed = blinks(landmarks)
    assert float(closed[list(LEFT_EYE)].min()) == 1
    assert float(closed[33]) < 0.4
