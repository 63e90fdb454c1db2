"""Nobody is recognised, and what is not known is hidden. The share of faces found again is in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch

from tests.footage import clip, frames
from tests.transforms.pictures import copied, copy_at, flat, same, stripes
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.faces.detector import Detector
from transforms.faces.face import Tracking
from transforms.frame import Frame
from transforms.library.anonymize import Anonymize, AnonymizeSettings
from transforms.models.runtime import load
from transforms.models.store import Store

CPU = torch.device("cpu")
STYLES = ("pixelate", "blur", "solid")


def settings(**given: object) -> AnonymizeSettings:
    return AnonymizeSettings.model_validate(given)


@pytest.fixture
def context(store: Store) -> Context:
    return Context(CPU, store)


@pytest.fixture
def anonymize(context: Context) -> Iterator[Anonymize]:
    made = Anonymize(settings(), context)
    made.prepare()
    yield made
    made.close()


def hidden(before: Frame, after: Frame) -> torch.Tensor:
    """Where the luma was changed."""
    return (before.planes.y.int() - after.planes.y.int()).abs() > 2


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["talkingface", "protagonist", "expressions", "face_noface", "noface_face"])
def test_no_face_is_found_in_what_is_shown(name: str, style: str, store: Store, context: Context) -> None:
    """A part of each clip, from its start; and the detector does find the face in what came in."""
    detector = Detector(load(store, "face_detector", CPU), CPU)
    chain = Chain(context)
    chain.swap(chain.prepare([Step.parse("anonymize", {"style": style})]))
    there = found = count = 0
    for frame in frames(clip(name), 60):
        there += any(d.score >= 0.5 for d in detector(frame))
        found += any(d.score >= 0.5 for d in detector(chain.process(frame)))
        count += 1
    assert count == 60
    assert found == 0
    assert there > 0 or name == "noface_face"


def test_the_room_stays_to_be_seen(anonymize: Anonymize) -> None:
    sources = list(frames(clip("noface_face"), 20))
    for source in sources:
        out = anonymize.process(copy_at(source, source.pts))
    assert hidden(source, out).float().mean() < 0.35


def test_everything_is_hidden_until_the_detector_has_looked(anonymize: Anonymize) -> None:
    first, second = stripes(320, 180, pts=0), stripes(320, 180, pts=3000)
    before = copied(first)
    out = anonymize.process(first)
    assert ((out.planes.y.int() - before.y.int()).abs() > 2).float().mean() > 0.9
    assert same(anonymize.process(second).planes, before)


@pytest.mark.parametrize("change", ["size", "pause", "backwards"])
def test_everything_is_hidden_again_after_a_break(anonymize: Anonymize, change: str) -> None:
    size, pts = ((320, 180), 0)
    for _ in range(3):
        pts += 3000
        anonymize.process(stripes(*size, pts=pts))
    if change == "size":
        size, pts = (180, 320), pts + 3000
    elif change == "pause":
        pts += 900_000
    else:
        pts -= 6000
    frame = stripes(*size, pts=pts)
    before = copied(frame)
    out = anonymize.process(frame)
    assert ((out.planes.y.int() - before.y.int()).abs() > 2).float().mean() > 0.9


def test_an_error_hides_everything_until_the_detector_has_looked_again(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(context)
    chain.swap(chain.prepare([Step.parse("anonymize", {})]))

    def show(pts: int) -> float:
        frame = stripes(320, 180, pts=pts)
        before = copied(frame)
        return float(((chain.process(frame).planes.y.int() - before.y.int()).abs() > 2).float().mean())

    show(0)
    assert show(3000) == 0
    track = context.faces.track

    def fail(frame: Frame, *, vigilant: bool = False) -> Tracking:
        raise RuntimeError("the network broke")

    monkeypatch.setattr(context.faces, "track", fail)
    assert show(6000) > 0.9
    assert show(9000) > 0.9
    assert chain.covered == 2
    monkeypatch.setattr(context.faces, "track", track)
    assert show(12000) > 0.9
    assert show(15000) == 0


def test_a_face_that_is_lost_stays_hidden_for_a_second_and_its_cover_grows(anonymize: Anonymize) -> None:
    (face,) = frames(clip("astronaut"), 1)
    pts = 0
    for _ in range(5):
        pts += 3000
        seen = copy_at(face, pts)
        anonymize.process(seen)
    left, top, right, bottom = (round(edge) for edge in anonymize.context.faces.track(seen).faces[0].box)
    place = (slice(top, bottom), slice(left, right))
    # The same size without anybody.
    areas: list[float] = []
    for _ in range(36):
        pts += 3000
        room = stripes(face.width, face.height, pts=pts)
        before = copied(room)
        changed = (anonymize.process(room).planes.y.int() - before.y.int()).abs() > 2
        areas.append(float(changed.float().mean()))
        if len(areas) <= 29:
            assert changed[place].float().mean() > 0.9
    assert areas[25] > 1.2 * areas[15]
    assert areas[-1] == 0


@pytest.mark.parametrize("style", STYLES)
def test_a_head_at_the_edge_is_hidden_too(style: str, context: Context, store: Store) -> None:
    (whole,) = frames(clip("astronaut"), 1)
    transform = Anonymize(settings(style=style), context)
    transform.prepare()
    detector = Detector(load(store, "face_detector", CPU), CPU)
    for index in range(12):
        # The picture's left edge moves over the face.
        cut = 2 * (60 + 6 * index)
        planes = whole.planes
        frame = Frame(
            type(planes)(planes.y[:, cut:], planes.u[:, cut // 2 :], planes.v[:, cut // 2 :]), pts=index * 3000, color=whole.color
        )
        assert not [d for d in detector(transform.process(frame)) if d.score >= 0.5]
        break_size = frame.width
    assert break_size > 0


def test_a_slider_eases(anonymize: Anonymize) -> None:
    (face,) = frames(clip("astronaut"), 1)
    pts, outs = 0, []
    for index in range(30):
        pts += 3000
        if index == 15:
            anonymize.update(settings(style="solid", color="#ffffff"))
        outs.append(copied(anonymize.process(copy_at(face, pts))).y.float())
    steps = [float((later - earlier).abs().mean()) for earlier, later in pairwise(outs[10:])]
    whole = float((outs[-1] - outs[14]).abs().mean())
    assert whole > 5
    assert max(steps) < 0.6 * whole


def test_a_picture_without_anybody_is_left_alone(anonymize: Anonymize) -> None:
    for index in range(5):
        frame = flat(320, 240, pts=index * 3000)
        source = frame.source = object()
        out = anonymize.process(frame)
    assert out.source is source
