from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.pictures import copied, copy_at, flat, noise, same
from tests.transforms.portraits.pictures import made_smaller, rgb_of, url_of
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.errors import InvalidSettings, NotPrepared
from transforms.faces.face import Face, Tracking
from transforms.faces.lab import delta_e, rgb_to_lab
from transforms.faces.mesh import CANONICAL, TRIANGLES, VERTICES
from transforms.faces.raster import raster
from transforms.faces.regions import LIPS_INNER
from transforms.faces.tracker import NOTE
from transforms.frame import Frame, Planes
from transforms.library.faceswap import Faceswap, FaceswapSettings
from transforms.models.store import Store
from transforms.portraits.bare import bare
from transforms.portraits.layout import layout, rim_distance

CPU = torch.device("cpu")
PAIRS = [("protagonist", "talkingface"), ("talkingface", "protagonist")]


def made(store: Store, **settings: object) -> Faceswap:
    settings = {"watermark": "none"} | settings
    transform = Faceswap(FaceswapSettings.model_validate(settings), Context(CPU, store))
    transform.prepare()
    return transform


def of(store: Store, name: str, **settings: object) -> Faceswap:
    return made(store, portrait=url_of(made_smaller(rgb_of(name, 20))), consent=True, **settings)


def astronaut() -> Frame:
    return next(frames(clip("astronaut")))


def large() -> Frame:
    """The portrait with a face of 300 px."""
    rgb = F.interpolate(astronaut().rgb()[None, :, :240, 100:340], scale_factor=3, mode="bicubic")[0].clamp(0, 1)
    frame = flat(720, 720)
    frame.write_rgb(rgb, frame.box)
    return Frame(frame.planes)


def over_mesh(face: Face, values: Tensor, frame: Frame) -> Tensor:
    """(H, W): values of the vertices, -1 beyond the mesh."""
    index, weights = raster(face.landmarks[:VERTICES], TRIANGLES, frame.box)
    found = (values[TRIANGLES[index.clamp(min=0)]] * weights).sum(-1)
    return torch.where(index >= 0, found, torch.full_like(found, -1.0))


def change(one: Planes, other: Planes) -> float:
    return float((one.y.float() - other.y.float()).abs().mean())


def test_a_person_needs_to_have_agreed() -> None:
    url = url_of(made_smaller(rgb_of("astronaut")))
    with pytest.raises(InvalidSettings, match="consent"):
        Step.parse("faceswap", {"portrait": url})
    assert Step.parse("faceswap", {"portrait": url, "consent": True})
    assert Step.parse("faceswap", {})


def test_what_is_no_portrait_is_refused_with_a_sentence(store: Store) -> None:
    with pytest.raises(InvalidSettings, match="PNG"):
        Step.parse("faceswap", {"portrait": "data:image/png;base64,AAAA", "consent": True})
    nobody = {"portrait": url_of(torch.full((3, 64, 64), 0.4)), "consent": True}
    chain = Chain(Context(CPU, store))
    with pytest.raises(NotPrepared, match="no face"):
        chain.prepare([Step.parse("faceswap", nobody)])
    chain.close()


@pytest.mark.parametrize(("portrait", "live"), PAIRS)
def test_the_face_keeps_the_live_expression_place_and_colour(store: Store, portrait: str, live: str) -> None:
    """The issue's bars: landmarks within 2 % of the distance of the eyes, skin within ΔE2000 of 4, no gradient at the seam."""
    transform = of(store, portrait)
    before, after = Context(CPU, store), Context(CPU, store)
    errors, colours, seams = [], [], []
    for number, frame in enumerate(frames(clip(live), 40)):
        untouched = Frame(copied(frame), pts=frame.pts, time_base=frame.time_base, color=frame.color)
        transform.process(frame)
        output = Frame(copied(frame), pts=frame.pts, time_base=frame.time_base, color=frame.color)
        # Both followed as streams are: a look at a single frame differs by 2 % from one that follows.
        (one,), (other,) = before.faces.track(untouched).faces, after.faces.track(output).faces
        if number % 5 != 4:
            continue
        eyes = (one.landmarks[468] - one.landmarks[473])[:2].norm()
        errors.append(float((one.landmarks - other.landmarks)[:, :2].norm(dim=1).mean() / eyes))
        colours.append(skin_difference(untouched, output, one))
        seams.append(seam(output, one) / seam(untouched, one))
    assert sorted(errors)[len(errors) // 2] < 0.02
    assert sum(colours) / len(colours) < 4
    assert max(seams) < 1.3


def skin_difference(before: Frame, after: Frame, face: Face) -> float:
    """ΔE2000 between what is laid along the seam and what it lies on, both without their detail."""
    scale = face.outline.height / 17.7
    skin = over_mesh(face, bare(before, face.landmarks[:VERTICES], scale) * layout(CPU).skin, before) > 0.95
    rim = over_mesh(face, rim_distance(), before)
    side = int(scale) // 2 * 2 + 1

    band = skin & (rim > 1.0) & (rim < 2.4)
    assert int(band.sum()) > 500

    def low(frame: Frame) -> Tensor:
        weighted = F.avg_pool2d(torch.cat((frame.rgb() * skin, skin[None].float())), side, 1, side // 2)[:, band]
        return rgb_to_lab((weighted[:3] / weighted[3:].clamp(min=1e-3)).clamp(0, 1))

    return float(delta_e(low(before), low(after)).mean())


def seam(frame: Frame, face: Face) -> float:
    """Mean gradient of luma where the portrait sets in, by that on both sides of it."""
    y = F.avg_pool2d(frame.planes.y[None].float(), 3, 1, 1)[0]
    gradient = F.pad(torch.hypot(y[1:-1, 2:] - y[1:-1, :-2], y[2:, 1:-1] - y[:-2, 1:-1]), (1, 1, 1, 1))
    rim = over_mesh(face, rim_distance(), frame)
    below = over_mesh(face, CANONICAL[:, 1], frame) < 3.5

    def mean(start: float, end: float) -> Tensor:
        return gradient[(rim > start) & (rim < end) & below].mean()

    return float(mean(0.6, 2.2) / ((mean(2.2, 3.2) + mean(0.1, 0.6)) / 2))


def test_it_is_the_portraits_face_that_is_seen(store: Store) -> None:
    """Lips and brows of the mask, which are painted."""
    transform, frame = made(store), large()
    before = copied(frame)
    transform.process(frame)
    face = transform.context.faces.track(frame).faces[0]
    share = over_mesh(face, layout(CPU).share, frame)
    changed = (frame.planes.y.int() - before.y.int()).abs().float()
    assert float(changed[share > 0.95].mean()) > 5
    # Shares are interpolated between cells of up to 4 px.
    near = F.max_pool2d(share[None], 17, 1, 8)[0]
    assert float(changed[near <= 0].max()) == 0


def test_an_open_mouth_shows_its_own_inside(store: Store) -> None:
    transform = of(store, "talkingface")
    *_, frame = frames(clip("protagonist"), 14)
    before = copied(frame)
    transform.process(frame)
    face = transform.context.faces.track(frame).faces[0]
    rim = face.landmarks[list(LIPS_INNER), :2]
    left, top, right, bottom = (*rim.amin(0).tolist(), *rim.amax(0).tolist())
    x, y = (left + right) / 2, (top + bottom) / 2
    assert bottom - top > 8
    middle = (slice(int(y - 2), int(y + 2)), slice(int(x - 10), int(x + 10)))
    assert torch.equal(frame.planes.y[middle], before.y[middle])


def test_a_still_face_stays_still(store: Store) -> None:
    """With a sensor's noise: no flicker above 1 %, and the mesh that the portrait is laid on moves by less than 0.3 px."""
    transform, source = made(store), large()
    generator = torch.Generator().manual_seed(1)
    points, levels = [], []
    for number in range(30):
        noisy = (
            (plane.float() + torch.randn(plane.shape, generator=generator) * 2).clamp(0, 255).byte() for plane in source.planes
        )
        frame = Frame(Planes(*noisy), pts=number * 3000)
        transform.process(frame)
        face = transform.context.faces.track(frame).faces[0]
        x, y = face.box.centre
        if number >= 10:
            points.append(face.landmarks[:VERTICES, :2])
            here = frame.planes.y[int(y) - 96 : int(y) + 96, int(x) - 96 : int(x) + 96].float()
            levels.append(F.avg_pool2d(here[None], 32)[0])
    moved, seen = torch.stack(points), torch.stack(levels)
    assert float(moved.var(0).sum(1).mean().sqrt()) < 0.3
    assert float((seen.std(0) / seen.mean(0)).max()) < 0.01


def test_a_slider_never_pops(store: Store) -> None:
    transform, source = made(store), large()
    outputs = []
    for number in range(40):
        if number == 10:
            transform.update(transform.settings.model_copy(update={"opacity": 0.0}))
        if number == 25:
            transform.update(transform.settings.model_copy(update={"opacity": 100.0, "color_match": 0.0}))
        frame = copy_at(source, number * 3000)
        transform.process(frame)
        outputs.append(copied(frame))
    whole = change(outputs[9], source.planes)
    assert change(outputs[24], source.planes) < 0.05 * whole
    steps = [change(one, other) for one, other in pairwise(outputs[5:])]
    assert 0 < max(steps) < 0.35 * whole


def test_a_newcomer_is_faded_in(store: Store) -> None:
    transform, source = made(store), large()
    transform.process(noise(720, 720, pts=0))
    amounts = []
    for number in range(15):
        frame = copy_at(source, 3000 + number * 3000)
        transform.process(frame)
        amounts.append(change(frame.planes, source.planes))
    assert amounts[0] < 0.2 * amounts[-1]
    assert all(after > 0.98 * before for before, after in pairwise(amounts))
    assert amounts[9] == pytest.approx(amounts[-1], rel=0.03)


def test_a_profile_fades_out_and_back_in_time(store: Store) -> None:
    transform, source = made(store), large()
    known = transform.context.faces.track(copy_at(source, 0))
    amounts = []
    for number, turn in enumerate([0.0] * 5 + [0.95] * 20 + [0.0] * 20):
        frame = copy_at(source, number * 3000)
        face = replace(known.faces[0], outline=known.faces[0].outline._replace(turn=turn))
        frame.notes[NOTE] = Tracking((face,), (), False, known.size)
        transform.process(frame)
        amounts.append(change(frame.planes, source.planes))
    assert amounts[24] == 0
    assert 0.2 * amounts[4] < amounts[5] < amounts[4]
    assert amounts[-1] == pytest.approx(amounts[4], rel=0.02)
    assert max(abs(after - before) for before, after in pairwise(amounts)) < 0.45 * amounts[4]


def test_all_faces_or_the_largest(store: Store) -> None:
    picture = next(frames(clip("multi_face")))
    changed = {}
    for faces in ("all", "largest"):
        transform, frame = made(store, faces=faces), copy_at(picture, 0)
        before = copied(frame)
        transform.process(frame)
        found = transform.context.faces.track(frame).faces
        assert len(found) > 2
        centres = [tuple(map(int, face.landmarks[4, :2].tolist())) for face in found]
        changed[faces] = sum(
            not torch.equal(frame.planes.y[y - 4 : y + 4, x - 4 : x + 4], before.y[y - 4 : y + 4, x - 4 : x + 4])
            for x, y in centres
        )
    assert changed["largest"] <= 1 < changed["all"]


def test_a_face_at_the_edge_and_a_small_one(store: Store) -> None:
    source = large()
    for left, top, size in ((260, 0, 460), (0, 250, 470), (0, 0, 500)):
        part = flat(size, size)
        part.write_rgb(source.rgb()[:, top : top + size, left : left + size], part.box)
        made(store).process(Frame(part.planes))
    small = flat(320, 180)
    small.write_rgb(F.interpolate(source.rgb()[None], (180, 180), mode="area")[0], small.box._replace(right=180))
    frame = Frame(small.planes)
    before = copied(frame)
    made(store).process(frame)
    assert not same(before, frame.planes)


def test_a_failure_writes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    transform, frame = made(store), large()
    before = copied(frame)
    monkeypatch.setattr(transform._watermark, "mark", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        transform.process(frame)
    assert same(before, frame.planes)
