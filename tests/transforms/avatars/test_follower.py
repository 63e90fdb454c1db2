from __future__ import annotations

import torch
from torch import Tensor

from transforms.avatars.follower import MOST_NEUTRAL, Follower
from transforms.faces.blendshapes import NAMES
from transforms.faces.face import Face, FaceBox, Outline
from transforms.portraits.drawn import drawn

SMILE = NAMES.index("mouthSmileLeft")
FPS = 25


def face(number: int = 1) -> Face:
    return Face(number, drawn().landmarks, 1.0, FaceBox(0, 0, 1, 1), Outline(0, 0, 1, 1, 0, 0))


def shapes(**weights: float) -> Tensor:
    return torch.tensor([weights.get(name, 0.1) for name in NAMES])


def followed(follower: Follower, begin: float, seconds: float, values: Tensor, number: int = 1) -> Tensor:
    """What it says at the end of some seconds of the same."""
    motion = follower(face(number), values, begin)
    for step in range(1, round(seconds * FPS)):
        motion = follower(face(number), values, begin + step / FPS)
    return motion.values


def test_a_face_at_rest_moves_nothing() -> None:
    assert float(followed(Follower(), 0, 2, shapes()).abs().max()) < 0.02


def test_a_smile_shows_and_lasts() -> None:
    follower = Follower()
    followed(follower, 0, 2, shapes())
    values = followed(follower, 2, 5, shapes(mouthSmileLeft=0.8))
    assert 0.55 < float(values[SMILE]) < 0.75


def test_who_comes_smiling_is_seen_smiling() -> None:
    values = followed(Follower(), 0, 0.5, shapes(mouthSmileLeft=0.9))
    assert float(values[SMILE]) > 0.9 - MOST_NEUTRAL - 0.05


def test_who_comes_with_a_smile_and_stops_is_at_rest() -> None:
    follower = Follower()
    followed(follower, 0, 2, shapes(mouthSmileLeft=0.9))
    assert abs(float(followed(follower, 2, 6, shapes())[SMILE])) < 0.05


def test_a_gaze_that_lasts_is_how_somebody_looks() -> None:
    follower, down = Follower(), NAMES.index("eyeLookDownLeft")
    followed(follower, 0, 1, shapes())
    at_first = float(followed(follower, 1, 1, shapes(eyeLookDownLeft=0.3))[down])
    later = float(followed(follower, 2, 120, shapes(eyeLookDownLeft=0.3))[down])
    assert at_first > 0.15
    assert later < 0.5 * at_first


def test_another_face_has_a_neutral_of_its_own() -> None:
    follower = Follower()
    followed(follower, 0, 2, shapes())
    values = followed(follower, 2, 1, shapes(mouthPressLeft=0.3), number=2)
    assert abs(float(values[NAMES.index("mouthPressLeft")])) < 0.02


def test_time_that_steps_back_begins_afresh() -> None:
    follower = Follower()
    followed(follower, 100, 1, shapes())
    assert float(follower(face(), shapes(jawOpen=0.3), 0.0).values.abs().max()) < 0.02
