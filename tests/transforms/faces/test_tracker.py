from __future__ import annotations

import pytest
import torch

from tests.footage import clip, frames
from tests.transforms.pictures import copy_at, flat
from transforms.context import Context
from transforms.faces.blendshapes import NAMES, POINTS
from transforms.faces.tracker import FaceTracker
from transforms.frame import Frame, Planes
from transforms.models.store import Store


@pytest.fixture
def tracker(store: Store) -> FaceTracker:
    return Context(torch.device("cpu"), store).faces


def test_the_tables_are_complete() -> None:
    assert len(NAMES) == len(set(NAMES)) == 52
    assert NAMES[0] == "_neutral"
    assert len(POINTS) == len(set(POINTS)) == 146


def test_one_face_keeps_its_id_and_the_detector_rests(tracker: FaceTracker) -> None:
    trackings = [tracker.track(frame) for frame in frames(clip("talkingface"), 45)]
    assert {tuple(face.id for face in tracking.faces) for tracking in trackings} == {(1,)}
    # At the start, and every DISCOVERY seconds.
    assert sum(tracking.detected for tracking in trackings) <= 4
    for tracking in trackings:
        (face,) = tracking.faces
        assert face.presence > 0.5
        assert face.landmarks.shape == (478, 3)
        x, y = face.landmarks[:, 0], face.landmarks[:, 1]
        assert x.min() > face.box.left - 10
        assert x.max() < face.box.right + 10
        # Brow above nose tip above chin; the irises lie within the face.
        assert y[9] < y[4] < y[152]
        assert face.box.left < x[468] < face.box.right


def test_a_frame_is_tracked_once_whoever_asks(tracker: FaceTracker) -> None:
    (frame,) = frames(clip("talkingface"), 1)
    assert tracker.track(frame) is tracker.track(frame)


def test_expressions_show_in_the_coefficients(tracker: FaceTracker) -> None:
    opened: list[float] = []
    for frame in frames(clip("talkingface"), 90):
        (face,) = tracker.track(frame).faces
        shapes = tracker.blendshapes(face)
        assert shapes.shape == (52,)
        assert shapes.min() >= 0
        assert shapes.max() <= 1
        opened.append(float(shapes[NAMES.index("jawOpen")]))
    assert max(opened) - min(opened) > 0.05


def test_several_faces_have_ids_of_their_own(tracker: FaceTracker) -> None:
    (frame,) = frames(clip("multi_face"), 1)
    trackings = [tracker.track(copy_at(frame, index * 3000), vigilant=True) for index in range(3)]
    seen = [[face.id for face in tracking.faces] for tracking in trackings]
    assert len(seen[-1]) >= 3
    assert len(set(seen[-1])) == len(seen[-1])
    assert set(seen[0]) <= set(seen[-1])


def test_a_face_that_left_is_lost_and_the_detector_looks_again(tracker: FaceTracker) -> None:
    (frame,) = frames(clip("astronaut"), 1)
    assert len(tracker.track(frame).faces) == 1
    gone = tracker.track(flat(frame.width, frame.height, pts=3000))
    assert gone.faces == ()
    assert gone.detected
    back = tracker.track(copy_at(frame, 6000))
    assert [face.id for face in back.faces] == [1]


def test_another_size_keeps_the_id(tracker: FaceTracker) -> None:
    (frame,) = frames(clip("astronaut"), 1)
    tracker.track(frame)
    half = Frame(Planes(*(plane[::2, ::2].contiguous() for plane in frame.planes)), pts=3000)
    assert [face.id for face in tracker.track(half).faces] == [1]
