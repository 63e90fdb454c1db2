from __future__ import annotations

from fractions import Fraction
from itertools import islice

import pytest
import torch

from tests.footage import clip, frames
from tests.transforms.faces.fakes import FakeContext, anchor_at, boxed
from tests.transforms.pictures import copy_at, flat
from transforms.context import Context
from transforms.faces.blendshapes import NAMES, POINTS
from transforms.faces.detector import CLOSE_UP, close_ups
from transforms.faces.tracker import MOST_FACES, FaceTracker
from transforms.frame import Frame, Planes
from transforms.models.store import Store

RATE = 30


def shot(number: float, width: int = 640, height: int = 640) -> Frame:
    """An empty frame, by its number at 30 a second."""
    return flat(width, height, pts=round(number * 90_000 / RATE))


def at(x: float, y: float, side: float = 32, logit: float = 4.0) -> tuple[torch.Tensor, torch.Tensor]:
    return boxed(anchor_at(x, y), side, logit)


@pytest.fixture
def context() -> FakeContext:
    made = FakeContext()
    made.boxes = at(64, 64)
    return made


def test_a_face_is_followed_without_the_detector(context: FakeContext) -> None:
    ids = [[f.id for f in context.faces.track(shot(i)).faces] for i in range(10)]
    assert ids == [[1]] * 10
    assert context.landmarks.shown == 10
    assert context.detector.shown <= 4 + 1


def test_landmarks_are_in_frame_pixels(context: FakeContext) -> None:
    (face,) = context.faces.track(shot(0)).faces
    x, y = face.outline.x, face.outline.y
    assert face.landmarks.shape == (478, 3)
    assert (x, y) == pytest.approx((320, 320), abs=30)
    # The box of 160 px becomes a crop of 240, in which the face is 136 x 170 of 256.
    assert (face.outline.width, face.outline.height) == pytest.approx((136 * 240 / 256, 170 * 240 / 256), rel=0.01)
    assert face.landmarks[:, :2].mean(0).tolist() == pytest.approx([x, y], abs=2)
    assert face.outline.turn == pytest.approx(0, abs=0.05)


def test_one_frame_is_tracked_once(context: FakeContext) -> None:
    frame = shot(0)
    assert context.faces.track(frame) is context.faces.track(frame)
    assert context.landmarks.shown == 1


def test_who_asks_for_it_has_the_detector_look_at_every_frame(context: FakeContext) -> None:
    tracker = context.faces
    tracker.track(shot(0))
    for number in range(1, 6):
        frame = shot(number)
        before = context.detector.shown
        assert not tracker.track(frame).detected
        assert context.detector.shown == before
        told = tracker.track(frame, closely=())
        assert told.detected
        assert len(told.detections) == 1
        assert context.detector.shown > before
        assert tracker.track(frame) is told


def test_without_a_face_the_detector_looks_at_every_frame(context: FakeContext) -> None:
    context.boxes = None
    tracker = context.faces
    for number in range(3):
        before = context.detector.shown
        assert tracker.track(shot(number)).detected
        assert context.detector.shown > before
    context.boxes = at(64, 64)
    assert [f.id for f in tracker.track(shot(3)).faces] == [1]


def test_a_lost_face_is_searched_in_the_same_frame_and_keeps_its_id(context: FakeContext) -> None:
    tracker = context.faces
    tracker.track(shot(0))
    context.presence = -10.0
    gone = tracker.track(shot(1))
    assert gone.faces == ()
    assert gone.detected
    context.presence = 10.0
    assert [f.id for f in tracker.track(shot(12)).faces] == [1]


def test_after_a_second_it_is_somebody_new(context: FakeContext) -> None:
    tracker = context.faces
    tracker.track(shot(0))
    context.presence = -10.0
    tracker.track(shot(1))
    context.presence = 10.0
    assert [f.id for f in tracker.track(shot(40)).faces] == [2]


def test_elsewhere_it_is_somebody_new(context: FakeContext) -> None:
    tracker = context.faces
    tracker.track(shot(0))
    context.presence = -10.0
    tracker.track(shot(1))
    context.presence, context.boxes = 10.0, at(110, 110)
    assert [f.id for f in tracker.track(shot(12)).faces] == [2]


def test_a_face_found_again_is_not_smoothed_from_where_it_was(context: FakeContext) -> None:
    tracker = context.faces
    for number in range(5):
        tracker.track(shot(number))
    context.presence = -10.0
    tracker.track(shot(5))
    context.presence, context.boxes = 10.0, at(72, 64)
    (face,) = tracker.track(shot(16)).faces
    assert face.id == 1
    assert face.landmarks[:, 0].mean().item() == pytest.approx(face.outline.x, abs=2)


def test_faces_are_smoothed(context: FakeContext) -> None:
    tracker = context.faces
    tracker.track(shot(0))
    context.points = context.points + torch.tensor([0.5, 0.0, 0.0])
    (face,) = tracker.track(shot(1)).faces
    raw = face.box.centre[0]
    first = raw - 0.5 * 240 / 256
    assert first < (face.landmarks[:, 0].max() + face.landmarks[:, 0].min()).item() / 2 < raw


def test_two_tracks_on_one_face_become_one(context: FakeContext) -> None:
    tracker = context.faces
    tracker.track(shot(0))
    # A detection beside the face, so that it counts as new, whose landmarks then lie on the same face.
    context.points[:, 0] -= 60
    context.boxes = at(88, 64)
    tracking = tracker.track(shot(1), closely=())
    boxes = [f.box for f in tracking.faces]
    assert all(one is other or one.overlap(other) < 0.5 for one in boxes for other in boxes)


def test_never_more_than_it_can_afford(context: FakeContext) -> None:
    tracker = context.faces
    spots = [(x, y) for y in (20, 60, 100) for x in (20, 60, 100)]
    for number, (x, y) in enumerate(spots):
        context.boxes = at(x, y, 16)
        tracking = tracker.track(shot(number), closely=())
    assert [f.id for f in tracking.faces] == list(range(1, MOST_FACES + 1))


def test_another_size_starts_afresh_and_keeps_who_is_in_the_same_place(context: FakeContext) -> None:
    tracker = context.faces
    tracker.track(shot(0, 640, 640))
    tracking = tracker.track(shot(1, 320, 320))
    (face,) = tracking.faces
    assert tracking.detected
    assert face.id == 1
    assert face.box.centre == pytest.approx((160, 160), abs=15)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_landmarks_that_are_no_numbers_are_no_face(context: FakeContext, value: float) -> None:
    tracker = context.faces
    tracker.track(shot(0))
    context.points = torch.full((478, 3), value)
    assert tracker.track(shot(1)).faces == ()
    context.points = torch.zeros(478, 3)
    assert tracker.track(shot(2)).faces == ()


def test_what_the_landmarks_refuse_is_not_asked_again_at_once(context: FakeContext) -> None:
    context.presence = -10.0
    for number in range(6):
        assert context.faces.track(shot(number), closely=()).faces == ()
    assert context.landmarks.shown == 1
    context.faces.track(shot(12), closely=())
    assert context.landmarks.shown == 2


def test_doubtful_detections_are_told_but_not_followed(context: FakeContext) -> None:
    context.boxes = at(64, 64, logit=-0.2)
    tracking = context.faces.track(shot(0))
    assert tracking.faces == ()
    assert len(tracking.detections) == 1


def test_blendshapes_are_computed_when_asked_for_and_once_a_frame(context: FakeContext) -> None:
    tracker = context.faces
    (face,) = tracker.track(shot(0)).faces
    assert context.blendshapes.shown == 0
    assert tracker.blendshapes(face) is tracker.blendshapes(face)
    assert context.blendshapes.shown == 1
    (face,) = tracker.track(shot(1)).faces
    tracker.blendshapes(face)
    assert context.blendshapes.shown == 2


def test_there_are_52_names_and_146_points() -> None:
    assert len(set(NAMES)) == len(NAMES) == 52
    assert list(NAMES[1:]) == sorted(NAMES[1:])
    assert len(set(POINTS)) == len(POINTS) == 146


@pytest.fixture
def tracker(store: Store) -> FaceTracker:
    return Context(torch.device("cpu"), store).faces


def every(name: str, step: int, limit: int) -> list[Frame]:
    return list(islice(frames(clip(name)), 0, limit, step))


def test_a_talking_man_stays_one_person(tracker: FaceTracker) -> None:
    seen = [tracker.track(frame) for frame in every("talkingface", 3, 60)]
    assert {tuple(f.id for f in tracking.faces) for tracking in seen} == {(1,)}
    face = seen[-1].faces[0]
    left, right, chin, brow = (face.landmarks[i] for i in (468, 473, 152, 10))
    assert left[0] < right[0]
    assert brow[1] < left[1] < chin[1]
    assert face.presence > 0.9


def test_speaking_shows_in_the_jaw(tracker: FaceTracker) -> None:
    jaw = []
    for frame in every("talkingface", 5, 200):
        (face,) = tracker.track(frame).faces
        shapes = tracker.blendshapes(face)
        assert shapes.shape == (52,)
        jaw.append(float(shapes[NAMES.index("jawOpen")]))
    assert min(jaw) >= 0
    assert max(jaw) - min(jaw) > 0.1


def test_a_face_comes_into_a_picture_without(tracker: FaceTracker) -> None:
    seen = [tracker.track(frame) for frame in every("noface_face", 6, 156)]
    assert seen[0].faces == ()
    assert len(seen[-1].faces) == 1


def test_five_people_are_five_faces(tracker: FaceTracker) -> None:
    still = next(frames(clip("multi_face")))
    areas = close_ups(still.width, still.height, CLOSE_UP)
    shots = [Frame(still.planes, pts=number, time_base=Fraction(1, RATE), color=still.color) for number in range(4)]
    ids = [[face.id for face in tracker.track(frame, closely=areas).faces] for frame in shots]
    assert ids == [[1, 2, 3, 4, 5]] * 4


def test_who_left_is_lost_and_known_again(tracker: FaceTracker) -> None:
    portrait = next(frames(clip("astronaut")))
    assert [face.id for face in tracker.track(portrait).faces] == [1]
    gone = tracker.track(flat(portrait.width, portrait.height, pts=3000))
    assert gone.faces == ()
    assert gone.detected
    assert [face.id for face in tracker.track(copy_at(portrait, 6000)).faces] == [1]


def test_half_the_size_is_still_the_same_face(tracker: FaceTracker) -> None:
    portrait = next(frames(clip("astronaut")))
    tracker.track(portrait)
    half = Frame(Planes(*(plane[::2, ::2].contiguous() for plane in portrait.planes)), pts=3000)
    assert [face.id for face in tracker.track(half).faces] == [1]
