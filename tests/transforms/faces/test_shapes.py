from __future__ import annotations

import pytest
import torch

from tests.transforms.faces.shapes import face_at
from transforms.faces.blendshapes import NAMES
from transforms.faces.expressions import CALMED, MOST, ExpressionSettings, Mood, weights_of
from transforms.faces.mesh import MIRROR, VERTICES
from transforms.faces.pose import pose_of
from transforms.faces.regions import CHIN, LEFT_EYE, LIPS_INNER, RIGHT_EYE
from transforms.faces.shapes import basis, gaze, moved

CPU = torch.device("cpu")


def weights(**shapes: float) -> list[float]:
    return [shapes.get(name, 0.0) for name in NAMES]


def change(landmarks: torch.Tensor, **shapes: float) -> torch.Tensor:
    return moved(landmarks, pose_of(landmarks), weights(**shapes)) - landmarks[:VERTICES]


def test_every_shape_does_something_and_nothing_does_nothing() -> None:
    landmarks = face_at(200, 200)
    # A mouth that is open, or there is nothing to close.
    landmarks[list(LIPS_INNER[1:10]), 1] += 8
    assert float(change(landmarks).abs().max()) < 1e-4
    pose = pose_of(landmarks)
    for name in NAMES[1:]:
        way = change(landmarks, **{name: 1.0}).abs().max()
        look = gaze(pose, weights(**{name: 1.0}), CPU).abs().max()
        assert float(torch.maximum(way, look)) > 1.0, name


def test_left_and_right_mirror_each_other() -> None:
    fields = basis(CPU).reshape(len(NAMES), VERTICES, 3)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for index, name in enumerate(NAMES):
        if name.endswith("Left"):
            other = fields[NAMES.index(name.removesuffix("Left") + "Right")]
            assert torch.allclose(fields[index][MIRROR] * flip, other, atol=1e-4), name


def test_the_left_smile_is_the_persons_own_left_and_up() -> None:
    way = change(face_at(200, 200), mouthSmileLeft=1.0)
    assert way[291, 0] > 3
    assert way[291, 1] < -4
    assert way[61].abs().max() < 1


@pytest.mark.parametrize(("roll", "yaw"), [(0.0, 0.0), (0.6, 0.0), (-0.4, 0.5), (2.8, 0.0)])
def test_movement_turns_and_grows_with_the_head(roll: float, yaw: float) -> None:
    upright = change(face_at(0, 0, 10.0), jawOpen=1.0, browInnerUp=1.0, mouthPucker=0.5)
    turned = change(face_at(300, 200, 20.0, roll, yaw), jawOpen=1.0, browInnerUp=1.0, mouthPucker=0.5)
    expected = face_at(0, 0, 20.0, roll, yaw).new_tensor(0.0) + upright.norm(dim=1) * 2
    assert torch.allclose(turned.norm(dim=1), expected, atol=0.05)


def test_the_jaw_takes_the_chin_along_and_leaves_the_upper_lip_and_the_ears() -> None:
    way = change(face_at(0, 0, 10.0), jawOpen=1.0)[:, 1]
    # It goes back as well as down.
    assert way[CHIN] > 14
    assert way[14] > 20
    assert way[13].abs() < 2
    assert way[[10, 127, 356, 33, 263]].abs().max() < 1


def test_a_blink_brings_the_lids_together_whatever_their_distance() -> None:
    landmarks = face_at(0, 0, 10.0)
    landmarks[list(LEFT_EYE[9:]), 1] -= 5
    after = moved(landmarks, pose_of(landmarks), weights(eyeBlinkLeft=1.0, eyeBlinkRight=1.5))
    for lids in (LEFT_EYE, RIGHT_EYE):
        before = landmarks[lids[4], 1] - landmarks[lids[12], 1]
        gap = after[lids[4], 1] - after[lids[12], 1]
        assert before > 5
        assert -0.25 * before < gap < 0.1 * before


def test_lips_that_are_apart_close_and_closed_ones_stay() -> None:
    landmarks = face_at(0, 0, 10.0)
    lower, upper = list(LIPS_INNER[1:10]), list(LIPS_INNER[:10:-1])
    landmarks[lower, 1] += 12
    after = moved(landmarks, pose_of(landmarks), weights(mouthClose=1.0))
    assert (after[lower, 1] - after[upper, 1]).abs().max() < 0.1


def test_gaze_goes_out_and_in() -> None:
    pose = pose_of(face_at(0, 0, 10.0))
    left, right = gaze(pose, weights(eyeLookOutLeft=1.0, eyeLookInRight=1.0, eyeLookUpRight=1.0), CPU)
    assert left[0] > 3
    assert right[0] > 3
    assert right[1] < -2


def test_settings_become_weights_and_moods_have_two_sides() -> None:
    given = ExpressionSettings.model_validate({"mood": "none", "mouth": {"mouthSmileLeft": 0.5}, "brows": {"browInnerUp": 1.5}})
    found = dict(zip((*NAMES, "calm"), weights_of(given), strict=True))
    assert {name: weight for name, weight in found.items() if weight} == {"mouthSmileLeft": 0.5, "browInnerUp": 1.5}
    happy = dict(zip((*NAMES, "calm"), weights_of(ExpressionSettings(mood="happy")), strict=True))
    assert happy["mouthSmileLeft"] == happy["mouthSmileRight"] > 0.5


def test_every_network_shape_has_a_setting() -> None:
    groups = ExpressionSettings()
    fields = [name for group in (groups.brows, groups.eyes, groups.cheeks, groups.jaw, groups.mouth) for name, _ in group]
    assert sorted(fields) == sorted(NAMES[1:])


@pytest.mark.parametrize("mood", Mood.__args__)  # type: ignore[attr-defined]
def test_moods_are_bounded(mood: str) -> None:
    found = weights_of(ExpressionSettings.model_validate({"mood": mood, "strength": 1.5}))
    assert all(0 <= weight <= MOST for weight in found)
    assert any(found) == (mood != "none")


def test_a_neutral_mood_leaves_speech_and_blinks() -> None:
    calmed = {name for name, calm in zip(NAMES, CALMED, strict=True) if calm}
    assert "mouthSmileLeft" in calmed
    assert not calmed & {"jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "eyeBlinkLeft", "_neutral"}
