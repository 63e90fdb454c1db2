from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.faces.referee import Referee
from tests.transforms.pictures import copied, copy_at, noise, same
from transforms.context import Context
from transforms.faces.blendshapes import NAMES
from transforms.faces.expressions import ExpressionSettings
from transforms.faces.face import Face
from transforms.faces.performance import MARGIN
from transforms.faces.raster import polygon
from transforms.faces.regions import FACE_OVAL, LIPS_INNER, LIPS_OUTER
from transforms.faces.warp import displacement, warp
from transforms.frame import Box, Frame, Planes
from transforms.library.expression import PROFILE, Expression
from transforms.models.store import Store

CPU = torch.device("cpu")
SMILE = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}
CM = 1 / 15
"""Of a face's height from chin to forehead, which is 17 cm of a mean face: generous."""


@pytest.fixture(scope="module")
def referee(store: Store) -> Referee:
    return Referee(store)


def made(store: Store, **settings: object) -> Expression:
    transform = Expression(ExpressionSettings.model_validate({"mood": "none"} | settings), Context(CPU, store))
    transform.prepare()
    return transform


def astronaut() -> Frame:
    return next(frames(clip("astronaut")))


def talking(first: int, count: int, step: int = 1) -> Iterator[Frame]:
    for number, frame in enumerate(frames(clip("talkingface"), first + count * step)):
        if number >= first and (number - first) % step == 0:
            yield frame


def own(names: dict[str, float]) -> Tensor:
    return torch.tensor([name in names for name in NAMES])


def face_area(face: Face, size: tuple[int, int]) -> Tensor:
    """(H, W) bool: the face and the margin in which its rim's movement fades."""
    margin = MARGIN * CM * face.outline.height + 8
    return polygon(face.landmarks[list(FACE_OVAL)], Box(0, 0, *size), 2 * margin) > 0


@pytest.mark.parametrize("name", ["talkingface", "protagonist"])
def test_a_smile_is_seen_as_one_and_as_little_else(store: Store, referee: Referee, name: str) -> None:
    transform = made(store, mouth=SMILE)
    gains, others = [], []
    for number, frame in enumerate(frames(clip(name), 40)):
        before = Frame(copied(frame), color=frame.color)
        after = transform.process(frame)
        if number % 13:
            continue
        old, new = referee.shapes(before), referee.shapes(after)
        gains.append(bool(((new - old >= 0.3) | (new >= 0.8))[own(SMILE)].all()))
        others.append(float((new - old)[~own(SMILE)].abs().mean()))
    assert all(gains)
    assert max(others) < 0.1


def test_a_smiling_portrait_still_smiles(store: Store, referee: Referee) -> None:
    after = made(store, mouth=SMILE).process(astronaut())
    assert float(referee.shapes(after)[own(SMILE)].min()) > 0.8


@pytest.mark.parametrize(
    ("group", "shapes", "least"),
    [
        ("brows", {"browInnerUp": 1.0}, 0.15),
        ("brows", {"browDownLeft": 1.0, "browDownRight": 1.0}, 0.15),
        ("eyes", {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, 0.15),
        ("eyes", {"eyeLookOutLeft": 1.0}, 0.1),
        ("jaw", {"jawOpen": 1.0}, 0.4),
        ("mouth", {"mouthStretchLeft": 1.0, "mouthStretchRight": 1.0}, 0.08),
        ("mouth", {"mouthShrugLower": 1.0}, 0.15),
    ],
)
def test_other_shapes_are_recognised(store: Store, referee: Referee, group: str, shapes: dict[str, float], least: float) -> None:
    frame = next(talking(3, 1))
    before = referee.shapes(frame)
    after = referee.shapes(made(store, **{group: shapes}).process(frame))
    change = after - before
    assert float(change[own(shapes)].min()) > least
    assert float(change[~own(shapes)].abs().mean()) < 0.1


@pytest.mark.parametrize("mood", ["happy", "surprised"])
def test_the_background_is_the_same_to_the_bit(store: Store, referee: Referee, mood: str) -> None:
    for frame in (astronaut(), next(talking(10, 1))):
        face = referee.face(frame)
        before = copied(frame)
        size = frame.width, frame.height
        after = made(store, mood=mood).process(frame).planes
        outside = ~(face_area(face, size) | face_area(referee.face(frame), size))
        assert float(outside.float().mean()) > 0.35
        assert torch.equal(after.y[outside], before.y[outside])
        half = outside[::2, ::2] & outside[1::2, ::2] & outside[::2, 1::2] & outside[1::2, 1::2]
        assert torch.equal(after.u[half], before.u[half])
        assert torch.equal(after.v[half], before.v[half])
        assert not same(after, before)


def test_a_closed_mouth_opens_on_a_plausible_inside(store: Store, referee: Referee) -> None:
    frame = next(talking(3, 1))
    closed = referee.face(frame)
    lips = frame.planes.y[polygon(closed.landmarks[list(LIPS_OUTER)], frame.box) > 0.9].float()
    after = made(store, jaw={"jawOpen": 1.0}).process(frame)
    face = referee.face(after)
    inner = face.landmarks[list(LIPS_INNER), :2]
    height = float(face.landmarks[14, 1] - face.landmarks[13, 1])
    assert height > 4 * float(closed.landmarks[14, 1] - closed.landmarks[13, 1])
    inside = after.planes.y[polygon(inner, after.box) > 0.9].float()
    # Mostly dark; teeth at least as bright as the lips; no blocks of one code.
    assert float(inside.median()) < 0.6 * float(lips.median())
    assert float(inside.quantile(0.97)) > float(lips.median())
    assert len(inside.unique()) > 40  # type: ignore[no-untyped-call]


def test_a_neutral_mood_takes_a_smile_back(store: Store, referee: Referee) -> None:
    after = made(store, mood="neutral").process(astronaut())
    assert float(referee.shapes(after)[own(SMILE)].max()) < 0.6


def test_nothing_asked_for_changes_nothing(store: Store) -> None:
    frame = astronaut()
    made(store).process(frame)
    assert not frame.changed


def test_nobody_there_changes_nothing(store: Store) -> None:
    frame = noise(320, 180)
    made(store, mood="happy").process(frame)
    assert not frame.changed


def test_a_slider_never_pops(store: Store) -> None:
    still, transform = astronaut(), made(store)
    shown = [transform.process(copy_at(still, 0)).planes.y.float()]
    transform.update(ExpressionSettings.model_validate({"mood": "none", "mouth": SMILE, "jaw": {"jawOpen": 1.0}}))
    shown += [transform.process(copy_at(still, number * 3000)).planes.y.float() for number in range(1, 30)]
    whole = float((shown[-1] - shown[0]).abs().mean())
    steps = [float((after - before).abs().mean()) for before, after in pairwise(shown)]
    assert whole > 0.3
    assert max(steps) < 0.6 * whole
    assert steps[-1] < 0.02 * whole


def test_a_newcomer_takes_the_expression_on_gradually(store: Store) -> None:
    still, transform = astronaut(), made(store, mood="surprised")
    transform.process(noise(still.width, still.height))
    changes = []
    for number in range(1, 20):
        frame = copy_at(still, number * 3000)
        changes.append(float((transform.process(frame).planes.y.float() - still.planes.y).abs().mean()))
    assert changes[0] < 0.2 * changes[-1]
    assert max(after - before for before, after in pairwise(changes)) < 0.5 * changes[-1]


def test_a_still_face_stands_still(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a camera's noise: jitter of the movement under 0.3 px rms, flicker of the face under 1 %."""
    still, transform = astronaut(), made(store, mood="surprised")
    meshes: list[tuple[Tensor, Tensor, Tensor]] = []

    def recorded(frame: Frame, source: Tensor, target: Tensor, triangles: Tensor, box: Box, margin: float) -> None:
        meshes.append((source, target, triangles))
        warp(frame, source, target, triangles, box, margin)

    monkeypatch.setattr("transforms.faces.performance.warp", recorded)
    generator = torch.Generator().manual_seed(0)
    brightness = []
    area = (slice(70, 180), slice(180, 272))
    for number in range(24):
        grain = torch.randn(still.planes.y.shape, generator=generator) * 2
        y = (still.planes.y + grain).round().clamp(0, 255).to(torch.uint8)
        frame = Frame(Planes(y, still.planes.u, still.planes.v), pts=number * 3000, color=still.color)
        brightness.append(float(transform.process(frame).planes.y[area].float().mean()))
    box = Box(160, 50, 292, 200)
    fields = torch.stack([displacement(*mesh, box, 20.0) for mesh in meshes[8:]])
    jitter = (fields - fields.mean(0)).square().sum(1).mean(0).sqrt()
    # Where upper and lower lip meet, or a lid and the eye, one and the same pixel may belong to either.
    assert float(jitter.quantile(0.98)) < 0.3
    assert float(jitter.mean()) < 0.1
    calm = torch.tensor(brightness[8:])
    assert float((calm - calm.mean()).abs().max() / calm.mean()) < 0.01


def test_several_faces(store: Store, referee: Referee) -> None:
    frame = next(frames(clip("multi_face")))
    faces = referee.faces(frame)
    before = copied(frame)
    after = made(store, mood="happy").process(frame)
    changed = after.planes.y != before.y
    assert len(faces) > 2
    for face in faces:
        if abs(face.outline.turn) < PROFILE[0] - 0.1:
            x, y = (int(value) for value in face.landmarks[61, :2])
            assert bool(changed[y - 3 : y + 3, x - 3 : x + 3].any())


def test_when_one_face_fails_nothing_was_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def failing(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("broken")
        warp(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("transforms.faces.performance.warp", failing)
    frame = next(frames(clip("multi_face")))
    before = copied(frame)
    with pytest.raises(RuntimeError, match="broken"):
        made(store, mood="happy").process(frame)
    assert same(frame.planes, before)
    assert not frame.changed


@pytest.mark.parametrize("cut", [60, 100, 130])
def test_a_face_that_the_edge_cuts(store: Store, cut: int) -> None:
    whole = astronaut()
    luma, chroma = slice(2 * cut, 512), slice(cut, 256)
    planes = Planes(*(plane[:, part] for plane, part in zip(whole.planes, (luma, chroma, chroma), strict=True)))
    frame = Frame(planes, color=whole.color)
    out = made(store, mood="surprised").process(frame)
    assert (out.width, out.height) == (512 - 2 * cut, 512)
    assert torch.equal(out.planes.y[300:], whole.planes.y[300:, luma])


@pytest.mark.parametrize("name", NAMES[1:])
def test_every_shape_at_its_most_shows(store: Store, name: str) -> None:
    groups = ExpressionSettings()
    group = next(key for key in ("brows", "eyes", "cheeks", "jaw", "mouth") if hasattr(getattr(groups, key), name))
    frame = astronaut()
    before = copied(frame)
    after = made(store, **{group: {name: 1.5}}).process(frame)
    # Lips that are closed, or lids that look straight on, have little to do.
    assert not same(after.planes, before)


@pytest.mark.parametrize("step", [1, 3, 6])
def test_small_pictures(store: Store, step: int) -> None:
    whole = next(talking(3, 1))
    y, u, v = (plane[: 570 if index == 0 else 285][::step, ::step] for index, plane in enumerate(whole.planes))
    frame = Frame(Planes(y, u, v), color=whole.color)
    before = copied(frame)
    after = made(store, mood="surprised", strength=1.5).process(frame).planes
    assert not same(after, before)
    assert torch.equal(after.y[:2], before.y[:2])
