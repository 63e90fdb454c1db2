from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import cast

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.faces.fakes import FakeContext, anchor_at, boxed, detection, nothing
from tests.transforms.pictures import copied, copy_at, noise, same
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.faces.detector import CLOSE_UP, Detector, close_ups
from transforms.faces.face import Detection
from transforms.frame import Frame, Planes
from transforms.library.anonymize import PAUSE, ROUNDS, STYLES, Anonymize, AnonymizeSettings
from transforms.models.store import Store

RATE = 30
SIDE = 640
CPU = torch.device("cpu")

Shot = Callable[..., Frame]


def shot(number: float, width: int = SIDE, height: int = SIDE) -> Frame:
    return noise(width, height, seed=int(number), pts=round(number * 90_000 / RATE))


def made(context: FakeContext, **settings: object) -> Anonymize:
    anonymize = Anonymize(AnonymizeSettings.model_validate(settings), cast(Context, context))
    anonymize.prepare()
    return anonymize


def hidden(before: Frame, after: Frame) -> Tensor:
    """(H, W) which pixels of luma are others than they were."""
    return before.planes.y != after.planes.y


def run(anonymize: Anonymize, number: float, width: int = SIDE, height: int = SIDE) -> Tensor:
    before = shot(number, width, height)
    return hidden(before, anonymize.process(shot(number, width, height)))


def share(mask: Tensor) -> float:
    return float(mask.float().mean())


@pytest.fixture
def context() -> FakeContext:
    return FakeContext()


def with_face(context: FakeContext, x: float = 64, y: float = 64, side: float = 32, logit: float = 4.0) -> FakeContext:
    """Every untouched picture holds a face; what was hidden is seen no more."""
    context.boxes = boxed(anchor_at(x, y), side, logit)
    return context


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch, context: FakeContext) -> FakeContext:
    """A context whose detector sees nothing in what was hidden."""
    monkeypatch.setattr(context.faces, "look", lambda frame, areas=(): [])
    return context


def test_the_first_frame_is_hidden_whole_and_the_next_is_not(context: FakeContext) -> None:
    anonymize = made(context)
    assert share(run(anonymize, 0)) > 0.95
    assert share(run(anonymize, 1)) == 0


def test_a_frame_without_faces_is_passed_on_untouched(context: FakeContext) -> None:
    anonymize = made(context)
    anonymize.process(shot(0))
    frame = shot(1)
    frame.source = object()
    assert anonymize.process(frame).source is not None
    assert not frame.changed


def test_before_anything_is_shown_the_detector_has_looked_everywhere(context: FakeContext) -> None:
    made(context).process(shot(0))
    assert context.detector.shown == 1 + len(close_ups(SIDE, SIDE, CLOSE_UP))


@pytest.mark.parametrize("style", STYLES)
def test_the_head_is_hidden_and_the_rest_is_not(blind: FakeContext, style: str) -> None:
    anonymize = made(with_face(blind), style=style)
    run(anonymize, 0)
    mask = run(anonymize, 1)
    assert share(mask[240:380, 260:340]) > 0.95
    assert share(mask[:, :150]) == 0
    assert share(mask[:, 490:]) == 0
    assert share(mask[540:]) == 0


@pytest.mark.parametrize("style", STYLES)
def test_nothing_fine_is_left_of_what_is_hidden(blind: FakeContext, style: str) -> None:
    anonymize = made(with_face(blind), style=style)
    anonymize.process(shot(0))
    for plane in anonymize.process(shot(1)).planes:
        scale = SIDE // plane.shape[0]
        inside = plane[260 // scale : 380 // scale, 270 // scale : 370 // scale].float()
        assert inside.std() < 6


@pytest.mark.parametrize("style", STYLES)
def test_a_weaker_setting_is_refused(style: str) -> None:
    with pytest.raises(ValidationError):
        AnonymizeSettings.model_validate({"style": style, "strength": 5})


def test_a_face_that_appears_is_hidden_in_its_first_frame(blind: FakeContext) -> None:
    anonymize = made(blind)
    for number in range(5):
        run(anonymize, number)
    with_face(blind)
    assert share(run(anonymize, 5)[260:380, 280:360]) > 0.95


def test_a_second_face_is_hidden_in_its_first_frame(context: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    anonymize = made(with_face(context))
    newcomer = detection(100, 100, 100)
    looks = iter([[], [], [], [newcomer], []])
    monkeypatch.setattr(context.faces, "look", lambda frame, areas=(): next(looks))
    for number in range(4):
        mask = run(anonymize, number)
    assert share(mask[80:120, 80:120]) == 0
    mask = run(anonymize, 4)
    assert share(mask[80:120, 80:120]) > 0.95
    assert share(mask[260:380, 280:360]) > 0.95


@pytest.mark.parametrize("logit", [-0.3, 0.1])
def test_a_doubtful_detection_is_hidden_too(blind: FakeContext, logit: float) -> None:
    anonymize = made(with_face(blind, logit=logit))
    blind.presence = -10.0
    run(anonymize, 0)
    assert share(run(anonymize, 1)[260:380, 280:360]) > 0.95


def test_a_lost_face_stays_hidden_for_a_second_and_its_place_grows(blind: FakeContext) -> None:
    anonymize = made(with_face(blind))
    run(anonymize, 0)
    first = run(anonymize, 1)
    blind.boxes, blind.presence = None, -10.0
    areas = [run(anonymize, number) for number in range(2, 31)]
    for before, after in zip([first, *areas], areas, strict=False):
        # Noise may by chance be what it was hidden by, so a few pixels count as shown.
        assert share(after[before]) > 0.95
    assert share(areas[-1]) > 1.5 * share(first)
    assert share(run(anonymize, 33)) == 0


def test_an_error_hides_and_so_does_the_frame_after_it(blind: FakeContext) -> None:
    anonymize = made(with_face(blind))
    run(anonymize, 0)
    assert share(run(anonymize, 1)) < 0.5
    blind.error, blind.presence = RuntimeError("broken"), -10.0
    for number in range(2, 5):
        frame = shot(number)
        before = copied(frame)
        with pytest.raises(RuntimeError, match="broken"):
            anonymize.process(frame)
        assert same(frame.planes, before)
    blind.error, blind.presence = None, 10.0
    assert share(run(anonymize, 5)) > 0.95
    assert 0 < share(run(anonymize, 6)) < 0.5


def test_in_a_chain_an_error_shows_black(blind: FakeContext) -> None:
    chain = Chain(cast(Context, blind))
    chain.swap(chain.prepare([Step.parse("anonymize", {})]))
    blind.error = RuntimeError("broken")
    frame = chain.process(shot(0))
    assert bool((frame.planes.y == frame.color.black).all())
    assert chain.covered == 1
    chain.close()


def test_a_detector_that_answers_no_numbers_hides_nothing_less(blind: FakeContext) -> None:
    anonymize = made(blind)
    blind.detector.answer = lambda pictures: tuple(part * math.nan for part in nothing(pictures))
    with pytest.raises(RuntimeError, match="no number"):
        anonymize.process(shot(0))


def test_another_size_is_hidden_whole_once(blind: FakeContext) -> None:
    anonymize = made(with_face(blind))
    run(anonymize, 0)
    run(anonymize, 1)
    assert share(run(anonymize, 2, 320, 180)) > 0.95
    assert share(run(anonymize, 3, 320, 180)) < 0.7


@pytest.mark.parametrize("number", [2 + PAUSE * RATE, -100])
def test_after_a_pause_and_when_time_jumps_back_nothing_is_known(blind: FakeContext, number: float) -> None:
    anonymize = made(blind)
    run(anonymize, 0)
    assert share(run(anonymize, 1)) == 0
    assert share(run(anonymize, number)) > 0.95


def test_where_a_face_is_still_seen_more_is_hidden_and_in_the_end_all(
    context: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    anonymize = made(with_face(context))
    looks = []

    def look(frame: Frame, areas: object = ()) -> list[Detection]:
        looks.append(frame)
        return context.faces._detector(frame)

    monkeypatch.setattr(context.faces, "look", look)
    run(anonymize, 0)
    assert share(run(anonymize, 1)) > 0.95
    assert len(looks) == ROUNDS


def test_a_crowd_is_hidden_as_a_whole(blind: FakeContext) -> None:
    def crowd(pictures: Tensor) -> tuple[Tensor, ...]:
        regressors, logits = nothing(pictures)
        regressors[..., 2:4], logits[:] = 2.0, 4.0
        return regressors, logits

    anonymize = made(blind)
    blind.presence = -10.0
    run(anonymize, 0)
    blind.detector.answer = crowd
    assert share(run(anonymize, 1)) > 0.95


def test_settings_are_eased_towards(blind: FakeContext) -> None:
    anonymize = made(with_face(blind), margin=0, feather=0)
    run(anonymize, 0)
    sizes = [share(run(anonymize, 1))]
    anonymize.update(AnonymizeSettings(margin=60, feather=0))
    sizes += [share(run(anonymize, number)) for number in range(2, 40)]
    steps = [after - before for before, after in pairwise(sizes)]
    assert sizes[-1] > 1.5 * sizes[0]
    assert max(steps) < 0.4 * (sizes[-1] - sizes[0])
    assert abs(steps[-1]) < 0.1 * max(steps)


def test_a_style_fades_into_another_and_hides_meanwhile(blind: FakeContext) -> None:
    anonymize = made(with_face(blind), style="pixelate")
    run(anonymize, 0)
    anonymize.update(AnonymizeSettings(style="solid", color="#ffffff"))
    brightness = []
    for number in range(1, 40):
        inside = anonymize.process(shot(number)).planes.y[280:360, 290:350].float()
        assert inside.std() < 8
        brightness.append(float(inside.mean()))
    assert brightness[-1] == pytest.approx(235, abs=1)
    assert max(abs(a - b) for a, b in pairwise(brightness)) < 45


def test_at_the_edge_of_the_picture_what_is_in_it_is_hidden(blind: FakeContext) -> None:
    anonymize = made(with_face(blind, 4, 4))
    run(anonymize, 0)
    mask = run(anonymize, 1)
    assert share(mask[:60, :60]) > 0.95
    assert share(mask[300:, 300:]) == 0


def resting(width: int = SIDE) -> Callable[[float], Frame]:
    """Frames that differ in nothing but their time."""
    still = noise(width, width, seed=1)
    return lambda number: copy_at(still, round(number * 90_000 / RATE))


def test_a_calm_face_is_looked_for_in_every_other_frame_and_hidden_in_all(blind: FakeContext) -> None:
    anonymize, frame = made(with_face(blind)), resting()
    runs = []
    for number in range(9):
        before = blind.landmarks.shown
        mask = hidden(frame(number), anonymize.process(frame(number)))
        assert share(mask[260:380, 280:360]) > 0.95
        runs.append(blind.landmarks.shown - before)
    assert runs[-4:] in ([0, 1, 0, 1], [1, 0, 1, 0])


def test_where_the_picture_becomes_another_one_faces_are_looked_for(blind: FakeContext) -> None:
    anonymize, frame = made(with_face(blind)), resting()
    for number in range(6):
        anonymize.process(frame(number))
    # The next would be one in which nobody looks.
    if anonymize._coasted:
        anonymize.process(frame(6))
    before = blind.landmarks.shown
    anonymize.process(noise(SIDE, SIDE, seed=2, pts=7 * 3000))
    assert blind.landmarks.shown > before


def test_a_stranger_is_hidden_in_a_frame_in_which_nobody_looked_for_the_calm_one(
    context: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    anonymize, frame = made(with_face(context)), resting()
    monkeypatch.setattr(context.faces, "look", lambda frame, areas=(): [])
    for number in range(6):
        anonymize.process(frame(number))
    if anonymize._coasted:
        anonymize.process(frame(6))
    looks = iter([[detection(100, 100, 100)], []])
    monkeypatch.setattr(context.faces, "look", lambda frame, areas=(): next(looks))
    mask = hidden(frame(7), anonymize.process(frame(7)))
    assert anonymize._coasted
    assert share(mask[80:120, 80:120]) > 0.95


@pytest.fixture(scope="module")
def eyes(store: Store) -> Detector:
    """Somebody else's detector."""
    return Detector(Context(CPU, store).network("face_detector"), CPU)


def seen(eyes: Detector, frame: Frame) -> bool:
    return any(detection.score >= 0.5 for detection in eyes(frame))


def footage(name: str) -> Iterator[Frame]:
    """Every fourth of 160 frames; of a photograph, ten times the same."""
    if name == "multi_face":
        still = next(frames(clip(name)))
        yield from (copy_at(still, number * 9000) for number in range(10))
    else:
        yield from islice(frames(clip(name)), 0, 160, 4)


def real(store: Store, style: str = "pixelate") -> Anonymize:
    anonymize = Anonymize(AnonymizeSettings.model_validate({"style": style}), Context(CPU, store))
    anonymize.prepare()
    return anonymize


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["talkingface", "protagonist", "expressions", "face_noface", "noface_face", "multi_face"])
def test_no_face_is_seen_in_what_is_shown(store: Store, eyes: Detector, name: str, style: str) -> None:
    anonymize = real(store, style)
    there, found = [], []
    for frame in footage(name):
        there.append(seen(eyes, frame))
        found.append(seen(eyes, anonymize.process(frame)))
    assert sum(there) > 0.2 * len(there)
    assert sum(found) <= 0.005 * len(found)


@pytest.mark.parametrize(("name", "least", "most"), [("talkingface", 0.25, 0.55), ("no_face", 0.0, 0.2)])
def test_hardly_more_than_the_head_is_hidden(store: Store, name: str, least: float, most: float) -> None:
    anonymize = real(store)
    areas = []
    for frame in footage(name):
        before = Frame(Planes(*frame.planes))
        areas.append(share(hidden(before, anonymize.process(frame))))
    assert areas[0] > 0.9
    assert least <= sum(areas[1:]) / len(areas[1:]) <= most


@pytest.mark.parametrize("style", STYLES)
def test_a_head_that_the_edge_cuts_is_hidden_too(store: Store, eyes: Detector, style: str) -> None:
    whole = next(frames(clip("astronaut")))
    width = whole.width // 2 - whole.width // 2 % 2
    anonymize = real(store, style)
    for number in range(12):
        # The picture's left edge moves over the face.
        cut = 60 + 6 * number
        luma, chroma = slice(2 * cut, 2 * cut + width), slice(cut, cut + width // 2)
        planes = Planes(*(plane[:, part] for plane, part in zip(whole.planes, (luma, chroma, chroma), strict=True)))
        assert not seen(eyes, anonymize.process(Frame(planes, pts=number * 3000, color=whole.color)))
