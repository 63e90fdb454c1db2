from __future__ import annotations

import pytest
import torch

from bench import portrait, transforms
from bench.clip import HEIGHT, WIDTH, Clip
from bench.scale import QUICK
from bench.scenarios import transforms as scenario
from bench.transforms import CASES, Case
from transforms import registry
from transforms.context import Context
from transforms.frame import Planes
from transforms.models.store import Store

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene() -> list[Planes]:
    return portrait.pictures(count=3)


def test_the_face_is_as_high_as_stated(store: Store, scene: list[Planes]) -> None:
    faces = Context(CPU, store).faces
    (face,) = faces.track(portrait.frame(scene[0], 0)).faces
    assert (scene[0].y.shape[1], scene[0].y.shape[0]) == (WIDTH, HEIGHT)
    assert face.box.height == pytest.approx(portrait.FACE_PX, rel=0.12)


def test_the_cases_are_of_transforms_that_are_there_and_their_settings_fit() -> None:
    registered = registry.keys()
    for key, cases in CASES.items():
        assert key in registered
        for case in cases:
            assert len(case.steps(key)) == 2


def test_what_is_measured_is_of_each_frame(scene: list[Planes]) -> None:
    cost = transforms.measure("grade", Case(settings={"exposure": 1.0}, slider={"exposure": -1.0}), CPU, scene, 5)
    assert len(cost.transform) == len(cost.tracking) == 5
    assert min(cost.transform) > 0


def test_the_table_has_every_case_and_tracking_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "keys", lambda: ["grade", "onnx_face", "reshape"])
    monkeypatch.setattr(transforms, "devices", lambda: [CPU])
    outcome = scenario.run(QUICK, Clip([]))
    assert [row["transform"] for row in outcome.rows] == [
        "grade, look, vignette",
        "grade, slider moving",
        "reshape",
        "tracking, beside each",
    ]
    assert len(outcome.bars) == 3
