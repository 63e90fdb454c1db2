from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.pictures import flat
from transforms.faces.detector import CLOSE_UP, Detector, anchors, close_ups, distinct, merge
from transforms.faces.face import Detection, FaceBox
from transforms.frame import Frame, Planes
from transforms.models.runtime import load
from transforms.models.store import Store

CPU = torch.device("cpu")


@pytest.fixture
def detector(store: Store) -> Detector:
    return Detector(load(store, "face_detector", CPU), CPU)


def detection(left: float, top: float, side: float, score: float) -> Detection:
    box = FaceBox(left, top, left + side, top + side)
    return Detection(box, tuple((left + i, top + i) for i in range(6)), score)


def test_there_are_896_anchors_at_the_cells_centres() -> None:
    points = anchors()
    assert points.shape == (896, 2)
    assert points[:3].tolist() == [[4.0, 4.0], [4.0, 4.0], [12.0, 4.0]]
    assert points[-1].tolist() == [120.0, 120.0]
    assert points[512].tolist() == [8.0, 8.0]


def test_overlapping_boxes_become_their_average() -> None:
    merged = merge([detection(10, 10, 100, 0.9), detection(20, 10, 100, 0.3), detection(300, 300, 50, 0.6)])
    assert [round(d.score, 2) for d in merged] == [0.9, 0.6]
    assert merged[0].box.left == pytest.approx(12.5)
    assert merged[0].keypoints[0][0] == pytest.approx(12.5)


def test_of_whole_and_close_up_the_better_one_is_kept() -> None:
    kept = distinct([detection(10, 10, 100, 0.6), detection(12, 10, 100, 0.8), detection(200, 10, 30, 0.5)])
    assert [d.score for d in kept] == [0.8, 0.5]


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (640, 640), (320, 180)])
def test_close_ups_cover_every_pixel(size: tuple[int, int]) -> None:
    width, height = size
    seen = torch.zeros(height, width, dtype=torch.bool)
    for box in close_ups(width, height, CLOSE_UP):
        seen[box.top : box.bottom, box.left : box.right] = True
    assert seen.all()


def test_a_face_is_found_where_it_is(detector: Detector) -> None:
    (frame,) = frames(clip("astronaut"), 1)
    best = detector(frame)[0]
    assert best.score > 0.9
    assert best.box.overlap(FaceBox(175, 75, 270, 170)) > 0.5
    eye, other = best.keypoints[:2]
    assert 0 < eye[0] < other[0] < frame.width
    assert abs(best.roll) < 0.3


def test_a_face_on_its_side_has_its_roll(detector: Detector) -> None:
    (frame,) = frames(clip("astronaut"), 1)
    turned = Frame(Planes(*(plane.rot90(-1).contiguous() for plane in frame.planes)))
    best = detector(turned)[0]
    assert best.score > 0.5
    assert 0.6 < best.roll < 2.1


def test_a_small_face_is_found_in_a_close_up(detector: Detector) -> None:
    (source,) = frames(clip("astronaut"), 1)
    frame = flat(1280, 720)
    planes = frame.writable()
    for target, plane, step in zip(planes, source.planes, (2, 2, 2), strict=True):
        small = plane[::step, ::step]
        down, along = (400, 800) if target.shape[0] == 720 else (200, 400)
        target[down : down + small.shape[0], along : along + small.shape[1]] = small
    areas = close_ups(1280, 720, CLOSE_UP)
    assert not [d for d in detector(frame) if d.score >= 0.5]
    found = [d for d in detector(frame, areas) if d.score >= 0.5]
    assert len(found) == 1
    assert found[0].box.overlap(FaceBox(800 + 175 / 2, 400 + 75 / 2, 800 + 270 / 2, 400 + 170 / 2)) > 0.3


def test_nothing_is_found_in_grey(detector: Detector) -> None:
    assert detector(flat(320, 240)) == []


def test_an_answer_that_is_no_number_is_not_taken_for_nobody() -> None:
    class Broken:
        inputs: tuple[tuple[int, ...], ...] = ((1, 128, 128, 3),)
        outputs: tuple[tuple[int, ...], ...] = ((1, 896, 16), (1, 896, 1))

        def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
            return torch.full((len(inputs[0]), 896, 16), float("nan")), torch.zeros(len(inputs[0]), 896, 1)

    with pytest.raises(RuntimeError, match="no number"):
        Detector(Broken(), CPU)(flat(64, 64))


def test_what_a_hostile_picture_draws_is_bounded() -> None:
    many: Sequence[Detection] = [detection(float(i), 0, 1, 0.5) for i in range(5000)]
    assert len(merge(many)) <= 100
