from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.pictures import copied, copy_at, same
from transforms.context import Context
from transforms.faces.face import Face, Tracking
from transforms.faces.lab import delta_e, rgb_to_lab
from transforms.faces.makeup_shapes import Shapes, shapes
from transforms.faces.raster import around, polygon
from transforms.faces.tracker import NOTE
from transforms.frame import Frame, Planes
from transforms.library.makeup import Makeup, MakeupSettings
from transforms.models.store import Store

CPU = torch.device("cpu")

PRODUCTS = ("lipstick", "blush", "shadow", "liner", "brows", "foundation")


def only(**products: dict[str, Any]) -> MakeupSettings:
    """Settings of which all other products are off."""
    off: dict[str, Any] = {name: {"opacity": 0} for name in PRODUCTS}
    off["foundation"]["smoothing"] = 0
    return MakeupSettings.model_validate(off | {name: off[name] | settings for name, settings in products.items()})


@pytest.fixture
def context(store: Store) -> Context:
    return Context(CPU, store)


def made(context: Context, settings: MakeupSettings) -> Makeup:
    makeup = Makeup(settings, context)
    makeup.prepare()
    return makeup


def portrait(pts: int = 0) -> Frame:
    return copy_at(next(frames(clip("astronaut"))), pts)


def run(makeup: Makeup, frame: Frame) -> tuple[Planes, list[Face]]:
    """The planes before, and the faces; the frame is made up."""
    before = copied(frame)
    makeup.process(frame)
    return before, faces(frame)


def faces(frame: Frame) -> list[Face]:
    tracking = frame.notes[NOTE]
    assert isinstance(tracking, Tracking)
    return list(tracking.faces)


def whole(loop: Tensor, frame: Frame, feather: float = 0.0) -> Tensor:
    return polygon(loop, frame.box, feather)


def grown(mask: Tensor, by: int) -> Tensor:
    return F.max_pool2d((mask > 0).float()[None], 2 * by + 1, 1, by)[0] > 0


def core(mask: Tensor) -> Tensor:
    return F.max_pool2d(-mask[None], 3, 1, 1)[0] < -0.99


def off_target(frame: Frame, face: Face, color: str) -> float:
    """CIEDE2000 between the lips' mean colour and the target."""
    loop = shapes(face.landmarks).lips
    box = around(loop, 4, (frame.width, frame.height))
    mean = frame.rgb(box)[:, core(polygon(loop, box))].mean(1)
    target = torch.tensor([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return float(delta_e(rgb_to_lab(mean), rgb_to_lab(target)))


@pytest.mark.parametrize(
    ("color", "finish"),
    [("#b3223f", "satin"), ("#5a1a2b", "matte"), ("#e88f9a", "gloss"), ("#c4553d", "gloss"), ("#2a3b8f", "satin")],
)
def test_lips_have_the_lipsticks_colour(context: Context, color: str, finish: str) -> None:
    makeup = made(context, only(lipstick={"color": color, "opacity": 100, "finish": finish}))
    frame = portrait()
    _, (face,) = run(makeup, frame)
    assert off_target(frame, face, color) < 8


@pytest.mark.parametrize(("name", "first", "last", "step"), [("talkingface", 0, 60, 6), ("protagonist", 0, 25, 5)])
def test_and_in_motion(context: Context, name: str, first: int, last: int, step: int) -> None:
    makeup = made(context, only(lipstick={"color": "#b3223f", "opacity": 100}))
    for frame in islice(frames(clip(name)), first, last, step):
        makeup.process(frame)
        for face in faces(frame):
            assert off_target(frame, face, "#b3223f") < 8


def test_nothing_but_the_lips_is_changed_to_the_bit(context: Context) -> None:
    makeup = made(context, only(lipstick={"opacity": 100}))
    frame = portrait()
    before, (face,) = run(makeup, frame)
    lips, width = shapes(face.landmarks).lips, face.outline.width
    luma = grown(whole(lips, frame, max(1.5, 0.015 * width)), 0)
    changed = frame.planes.y != before.y
    assert not (changed & ~luma).any()
    assert changed.sum() > 0.8 * whole(lips, frame).sum()
    # One sample of chroma is two by two pixels.
    chroma = F.max_pool2d(luma.float()[None], 2)[0] > 0
    for now, then in ((frame.planes.u, before.u), (frame.planes.v, before.v)):
        assert not ((now != then) & ~chroma).any()


def test_the_texture_of_lips_is_kept(context: Context) -> None:
    makeup = made(context, only(lipstick={"opacity": 100}))
    frame = portrait()
    before, (face,) = run(makeup, frame)
    inside = core(whole(shapes(face.landmarks).lips, frame))
    pair = torch.stack((before.y[inside].float(), frame.planes.y[inside].float()))
    assert float(torch.corrcoef(pair)[0, 1]) > 0.95


def test_with_everything_off_the_frame_is_untouched(context: Context) -> None:
    frame = portrait()
    frame.source = object()
    made(context, only()).process(frame)
    assert not frame.changed
    assert frame.source is not None


def places(loops: Shapes, frame: Frame, product: str) -> Tensor:
    """Where the product may be seen."""
    loop = {"lipstick": loops.lips, "shadow": loops.shadow, "liner": loops.liner, "brows": loops.brows}.get(product)
    return grown(whole(loops.skin if loop is None else loop, frame), 8)


@pytest.mark.parametrize("product", PRODUCTS)
def test_each_product_is_seen_where_it_belongs_and_nowhere_else(context: Context, product: str) -> None:
    makeup = made(context, only(**{product: {"color": "#3050a0", "opacity": 80}}))
    frame = portrait()
    before, (face,) = run(makeup, frame)
    changed = frame.planes.u != before.u
    place = F.max_pool2d(places(shapes(face.landmarks), frame, product).float()[None], 2)[0] > 0
    assert changed.sum() > 10
    assert not (changed & ~place).any()


def test_smoothing_evens_blotches_and_leaves_pores(context: Context) -> None:
    # Half of pores and half of blotches on the cheeks of the portrait.
    frame = portrait()
    noise = torch.Generator().manual_seed(0)
    fine = torch.randn((512, 512), generator=noise) * 3
    coarse = F.interpolate(torch.randn((1, 1, 128, 128), generator=noise), size=(512, 512), mode="bilinear")[0, 0] * 6
    y = frame.writable().y
    y.copy_((y.float() + fine + coarse).clamp(16, 235).to(torch.uint8))
    before, (face,) = run(made(context, only(foundation={"smoothing": 80})), frame)

    def bands(luma: Tensor) -> tuple[float, float]:
        loop = face.landmarks[[118, 101, 205, 187], :2]
        inside = core(polygon(loop, frame.box))
        near = F.avg_pool2d(luma.float()[None], 3, 1, 1)[0]
        far = F.avg_pool2d(luma.float()[None], 11, 1, 5)[0]
        return float((luma - near)[inside].std()), float((near - far)[inside].std())

    (pores, blotches), (pores_after, blotches_after) = bands(before.y), bands(frame.planes.y)
    assert pores_after > 0.85 * pores
    assert blotches_after < 0.75 * blotches


def test_features_survive_the_strongest_smoothing(context: Context) -> None:
    frame = portrait()
    before, (face,) = run(made(context, only(foundation={"smoothing": 100})), frame)
    nose = around(face.landmarks[[48, 278, 2, 4]], 6, (512, 512))
    then, now = (plane[nose.top : nose.bottom, nose.left : nose.right].float() for plane in (before.y, frame.planes.y))
    assert float(now.max() - now.min()) > 0.9 * float(then.max() - then.min())


BLUE = {"color": "#3050d0", "opacity": 100}


def painted(before: Planes, frame: Frame, face: Face) -> float:
    """Share of the lips that became ``BLUE``."""
    lips = whole(shapes(face.landmarks).lips, frame)
    inside = F.avg_pool2d(lips[None], 2, ceil_mode=True)[0] > 0.9
    return float((frame.planes.u[inside].float() - before.u[inside].float() > 8).float().mean())


def test_a_hand_before_the_lips_is_not_painted(context: Context) -> None:
    makeup = made(context, only(lipstick=BLUE))
    shares = {}
    for number, frame in islice(enumerate(frames(clip("expressions"))), 45, 108):
        before = copied(frame)
        makeup.process(frame)
        (face,) = faces(frame)
        shares[number] = painted(before, frame, face)
    assert min(shares[number] for number in range(45, 57)) > 0.98
    assert shares[60] < 0.35, "nearly all of the mouth is behind a hand that came within three frames"
    assert shares[63] > 0.95, "and that is gone again"
    assert shares[90] < 0.4
    assert max(shares[number] for number in range(98, 108)) < 0.7, "fingers lie over a good part"


@pytest.mark.parametrize(("name", "last"), [("talkingface", 100), ("protagonist", 40)])
def test_nothing_is_taken_for_a_hand_where_there_is_none(context: Context, name: str, last: int) -> None:
    makeup = made(context, only(lipstick=BLUE))
    for frame in islice(frames(clip(name)), 0, last, 4):
        before = copied(frame)
        makeup.process(frame)
        for face in faces(frame):
            assert painted(before, frame, face) > 0.9


def test_all_faces_are_made_up(context: Context) -> None:
    frame = copy_at(next(frames(clip("multi_face"))), 0)
    before, found = run(made(context, only(lipstick=BLUE)), frame)
    assert len(found) == 5
    for face in found:
        assert painted(before, frame, face) > 0.5


def test_make_up_fades_with_the_trackers_presence(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    makeup = made(context, only(lipstick={"opacity": 100}))
    (face,) = context.faces.track(portrait()).faces
    amounts = []
    for number, presence in enumerate((1.0, 0.8, 0.7, 0.6, 0.5)):
        tracking = Tracking((replace(face, presence=presence),), (), False, (512, 512))
        monkeypatch.setattr(context.faces, "track", lambda frame, tracking=tracking: tracking)
        frame = portrait(number * 3000)
        before = copied(frame)
        makeup.process(frame)
        amounts.append(float((frame.planes.v.float() - before.v.float()).abs().sum()))
    assert all(after < 0.9 * before for before, after in pairwise(amounts))
    assert amounts[-1] == 0


def test_a_newcomer_is_not_made_up_at_once(context: Context) -> None:
    makeup = made(context, only(lipstick={"opacity": 100}))
    empty = Frame(Planes(*(torch.full_like(plane, 128) for plane in portrait().planes)))
    makeup.process(empty)
    amounts = []
    for number in range(1, 20):
        frame = portrait(number * 3000 + 900_000)
        before, found = run(makeup, frame)
        amounts.append(float((frame.planes.v.float() - before.v.float()).abs().sum()) if found else 0.0)
    assert amounts[-1] > 0
    assert max(after - before for before, after in pairwise(amounts)) < 0.3 * amounts[-1]


def test_settings_are_eased_towards(context: Context) -> None:
    makeup = made(context, only(lipstick={"opacity": 0}))
    makeup.process(portrait())
    makeup.update(only(lipstick={"opacity": 100}))
    amounts = []
    for number in range(1, 30):
        frame = portrait(number * 3000)
        before, _ = run(makeup, frame)
        amounts.append(float((frame.planes.v.float() - before.v.float()).abs().sum()))
    steps = [after - before for before, after in pairwise(amounts)]
    assert 0 < amounts[0] < 0.4 * amounts[-1]
    assert max(steps) < 0.25 * amounts[-1]
    assert abs(steps[-1]) < 0.01 * amounts[-1]


def test_a_still_face_does_not_flicker(context: Context) -> None:
    makeup = made(context, MakeupSettings())
    shown = [copied(makeup.process(portrait(number * 3000))) for number in range(12)]
    for before, after in pairwise(shown[2:]):
        change = (after.y.float() - before.y.float()).abs()
        assert float(change.mean()) < 0.01
        assert float(change.max()) <= 6


def half_faces() -> Iterator[Frame]:
    """The picture's left edge moves over the face."""
    source = next(frames(clip("astronaut")))
    for number in range(10):
        cut = 50 + 8 * number
        luma, chroma = slice(2 * cut, 2 * cut + 256), slice(cut, cut + 128)
        planes = Planes(*(plane[:, part] for plane, part in zip(source.planes, (luma, chroma, chroma), strict=True)))
        yield Frame(planes, pts=number * 3000, color=source.color)


def test_a_face_that_the_edge_cuts_is_made_up_as_far_as_it_is_there(context: Context) -> None:
    makeup = made(context, MakeupSettings())
    changed = []
    for frame in half_faces():
        before, found = run(makeup, frame)
        changed.append(not same(frame.planes, before))
        assert bool(found) == changed[-1]
    assert any(changed)


@pytest.mark.parametrize("color", ["#2a3b8f", "#b3223f"])
def test_small_lips_have_the_lipsticks_colour_too(context: Context, color: str) -> None:
    """Of a face that is about 100 px high, edges of the lips and all."""
    frame = portrait()
    _, (face,) = run(made(context, only(lipstick={"color": color, "opacity": 100})), frame)
    assert 80 < face.outline.height < 130
    loop = shapes(face.landmarks).lips
    box = around(loop, 4, (frame.width, frame.height))
    mean = frame.rgb(box)[:, polygon(loop, box) > 0.5].mean(1)
    target = torch.tensor([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    assert delta_e(rgb_to_lab(mean), rgb_to_lab(target)) < 8


def test_noise_on_a_still_face_does_not_make_it_flicker(context: Context) -> None:
    makeup, generator = made(context, MakeupSettings()), torch.Generator().manual_seed(0)
    light = []
    for number in range(20):
        frame = portrait(number * 3000)
        y = frame.writable().y
        y.copy_((y + torch.randn(y.shape, generator=generator) * 2).round().clamp(0, 255).to(torch.uint8))
        light.append(float(makeup.process(frame).planes.y[70:180, 180:272].float().mean()))
    calm = torch.tensor(light[8:])
    assert float((calm - calm.mean()).abs().max() / calm.mean()) < 0.01
