from __future__ import annotations

import pytest
import torch

from tests.footage import clip, frames
from tests.transforms.faces.fakes import FakeNetwork, anchor_at, boxed, detection, nothing
from tests.transforms.pictures import flat, noise
from transforms.context import Context
from transforms.faces.detector import CLOSE_UP, MOST_CANDIDATES, Detector, anchors, close_ups, distinct, merge
from transforms.frame import Box
from transforms.models.store import Store

CPU = torch.device("cpu")


def test_anchors_are_two_grids_row_by_row() -> None:
    at = anchors()
    assert at.shape == (896, 2)
    assert at[0].tolist() == at[1].tolist() == [4.0, 4.0]
    assert at[2].tolist() == [12.0, 4.0]
    assert at[32].tolist() == [4.0, 12.0]
    assert at[512].tolist() == at[517].tolist() == [8.0, 8.0]
    assert at[-1].tolist() == [120.0, 120.0]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (640, 360), (500, 500), (181, 319), (2, 2), (3, 5)])
@pytest.mark.parametrize("share", [0.6, 1.0])
def test_close_ups_leave_nothing_out(width: int, height: int, share: float) -> None:
    seen = torch.zeros(height, width)
    for box in close_ups(width, height, share):
        assert box.on_chroma_grid(width, height) == box
        assert not box.empty
        seen[box.top : box.bottom, box.left : box.right] = 1
    assert seen.all()


def test_there_are_eight_of_a_wide_picture() -> None:
    assert len(close_ups(1280, 720, CLOSE_UP)) == 8


def test_boxes_of_one_face_become_their_average_by_score() -> None:
    one, other = detection(100, 100, 40, 0.9), detection(104, 100, 40, 0.3)
    (merged,) = merge([other, one])
    assert merged.score == 0.9
    assert merged.box.centre == pytest.approx((101, 100))
    assert merged.keypoints[2] == pytest.approx((101, 100))


def test_boxes_apart_stay_apart_best_first() -> None:
    assert [d.score for d in merge([detection(0, 0, 40, 0.5), detection(200, 0, 40, 0.8)])] == [0.8, 0.5]


def test_of_two_pictures_the_better_view_is_kept() -> None:
    best = detection(100, 100, 40, 0.9)
    assert distinct([detection(106, 100, 50, 0.6), best]) == [best]


def test_a_box_comes_back_in_frame_pixels() -> None:
    # 640 x 360 is put into 128 x 128 as 128 x 72 with 28 rows above: a fifth.
    detector = Detector(FakeNetwork(lambda _: boxed(anchor_at(64, 64), 32, 3.0)), CPU)
    (found,) = detector(flat(640, 360))
    x, y = anchors()[anchor_at(64, 64)].tolist()
    assert found.box.centre == pytest.approx((x * 5, (y - 28) * 5))
    assert (found.box.width, found.box.height) == pytest.approx((160, 160))
    assert found.score == pytest.approx(torch.tensor(3.0).sigmoid().item())
    assert found.keypoints[0] == pytest.approx((x * 5 - 32, (y - 28) * 5 - 32))


def test_an_area_is_a_picture_of_its_own() -> None:
    def answer(pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        whole, close = nothing(pictures[:1]), boxed(anchor_at(64, 64), 64, 3.0)
        return tuple(torch.cat(pair) for pair in zip(whole, close, strict=True))

    network = FakeNetwork(answer)
    (found,) = Detector(network, CPU)(flat(640, 360), [Box(100, 100, 228, 228)])
    assert network.shown == 2
    x, y = anchors()[anchor_at(64, 64)].tolist()
    assert found.box.centre == pytest.approx((100 + x, 100 + y))
    assert found.box.side == pytest.approx(64)


def test_doubtful_scores_are_told_and_low_ones_are_not() -> None:
    assert len(Detector(FakeNetwork(lambda _: boxed(0, 30, -0.2)), CPU)(flat(64, 64))) == 1
    assert Detector(FakeNetwork(lambda _: boxed(0, 30, -1.0)), CPU)(flat(64, 64)) == []


def test_extreme_logits_do_no_harm() -> None:
    assert Detector(FakeNetwork(lambda _: boxed(0, 30, 1e30)), CPU)(flat(64, 64))[0].score == 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", [0, 1])
def test_an_answer_that_is_no_number_is_an_error_and_not_an_empty_picture(value: float, part: int) -> None:
    def answer(pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        parts = nothing(pictures)
        parts[part].flatten()[5] = value
        return parts

    with pytest.raises(RuntimeError, match="no number"):
        Detector(FakeNetwork(answer), CPU)(flat(64, 64))


def test_a_picture_full_of_boxes_costs_no_more() -> None:
    def answer(pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        regressors, logits = nothing(pictures)
        regressors[..., 2:4] = 1.0
        return regressors, logits.fill_(5.0)

    assert len(Detector(FakeNetwork(answer), CPU)(flat(640, 640))) <= MOST_CANDIDATES


@pytest.fixture(scope="module")
def detector(store: Store) -> Detector:
    return Detector(Context(CPU, store).network("face_detector"), CPU)


def test_a_man_is_found(detector: Detector) -> None:
    frame = next(frames(clip("talkingface")))
    (found,) = detector(frame)
    assert found.score > 0.8
    assert 250 < found.box.centre[0] < 450
    assert abs(found.roll) < 0.3
    (left, top), (right, _), (_, nose), (_, mouth), *_ = found.keypoints
    assert left < right
    assert top < nose < mouth


def test_five_of_five_are_found_up_close(detector: Detector) -> None:
    frame = next(frames(clip("multi_face")))
    found = detector(frame, close_ups(frame.width, frame.height, CLOSE_UP))
    assert sum(d.score >= 0.8 for d in found) == 5


def test_noise_holds_no_face(detector: Detector) -> None:
    assert [d for d in detector(noise(640, 360)) if d.score >= 0.5] == []


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (17, 2), (181, 319)])
def test_any_size_is_taken(detector: Detector, size: tuple[int, int]) -> None:
    detector(noise(*size), close_ups(*size, CLOSE_UP))
