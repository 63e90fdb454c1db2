from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.faces.referee import Referee
from tests.transforms.pictures import copied, copy_at, same
from transforms.context import Context
from transforms.faces.face import Face
from transforms.faces.mesh import CANONICAL, MIRROR
from transforms.faces.raster import polygon
from transforms.faces.regions import FACE_OVAL
from transforms.faces.warp import displacement, warp
from transforms.frame import Box, Frame
from transforms.library.reshape import MARGIN, MOST, Reshape, ReshapeSettings, reshaped
from transforms.models.store import Store

CPU = torch.device("cpu")
OFF = dict.fromkeys(MOST, 0.0)

WIDTHS = {
    "slim": (123, 352),
    "jaw": (172, 397),
    "eyes": (159, 145),
    "nose": (48, 278),
    "chin": (17, 152),
    "lips": (0, 17),
}
"""Of each part, two landmarks whose distance it changes."""


@pytest.fixture(scope="module")
def referee(store: Store) -> Referee:
    return Referee(store)


def made(store: Store, **settings: float) -> Reshape:
    transform = Reshape(ReshapeSettings.model_validate(OFF | settings), Context(CPU, store))
    transform.prepare()
    return transform


def astronaut() -> Frame:
    return next(frames(clip("astronaut")))


def size(face: Face, part: str) -> float:
    """By the distance between the eyes' outer corners, which no part changes."""
    one, other = WIDTHS[part]
    points = face.landmarks[:, :2]
    return float((points[one] - points[other]).norm() / (points[33] - points[263]).norm())


@pytest.mark.parametrize("part", MOST)
def test_each_part_grows_and_shrinks_alike_on_both_sides(part: str) -> None:
    for sign in (1.0, -1.0):
        change = reshaped(CANONICAL, dict.fromkeys(MOST, 0.0) | {part: sign * MOST[part]})
        assert torch.allclose(change[MIRROR] * torch.tensor([-1.0, 1.0, 1.0]), change, atol=2e-3)
        assert 0.1 < float(change.norm(dim=1).max()) < 1.3
    assert float(reshaped(CANONICAL, OFF).abs().max()) == 0


@pytest.mark.parametrize(("part", "sign"), [("slim", -1), ("jaw", -1), ("eyes", 1), ("nose", -1), ("chin", 1), ("lips", 1)])
def test_the_tracker_sees_the_change(store: Store, referee: Referee, part: str, sign: int) -> None:
    frame = next(frames(clip("protagonist")))
    before = size(referee.face(frame), part)
    after = size(referee.face(made(store, **{part: 100.0}).process(frame)), part)
    assert sign * (after - before) / before > 0.03


def test_the_background_is_the_same_to_the_bit(store: Store, referee: Referee) -> None:
    frame = astronaut()
    face = referee.face(frame)
    before = copied(frame)
    after = made(store, slim=100.0, jaw=100.0, chin=100.0).process(frame).planes
    scale = float((face.landmarks[33, :2] - face.landmarks[263, :2]).norm()) / 8.9
    near = polygon(face.landmarks[list(FACE_OVAL)], Box(0, 0, 512, 512), 2 * (MARGIN * scale + 12)) > 0
    assert torch.equal(after.y[~near], before.y[~near])
    assert not same(after, before)


def test_nothing_asked_for_changes_nothing(store: Store) -> None:
    frame = astronaut()
    made(store).process(frame)
    assert not frame.changed


def test_a_slider_never_pops(store: Store) -> None:
    still, transform = astronaut(), made(store)
    shown = [transform.process(copy_at(still, 0)).planes.y.float()]
    transform.update(ReshapeSettings(slim=100, eyes=100))
    shown += [transform.process(copy_at(still, number * 3000)).planes.y.float() for number in range(1, 30)]
    whole = float((shown[-1] - shown[0]).abs().mean())
    steps = [float((after - before).abs().mean()) for before, after in pairwise(shown)]
    assert whole > 0.3
    assert max(steps) < 0.6 * whole
    assert steps[-1] < 0.02 * whole


def test_it_is_stable_while_somebody_talks(store: Store, referee: Referee) -> None:
    """What is reshaped moves as what is not: the ratio of widths stays what it was."""
    transform, ratios = made(store, slim=80.0), []
    for number, frame in enumerate(frames(clip("talkingface"), 30)):
        before = Frame(copied(frame), color=frame.color)
        after = transform.process(frame)
        if number % 10 == 0:
            ratios.append(size(referee.face(after), "slim") / size(referee.face(before), "slim"))
    assert max(ratios) < 0.99
    assert max(ratios) - min(ratios) < 0.02


def test_a_still_face_stands_still(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a camera's noise: no pixel of the warp jitters by 0.3 px rms, nor does the face flicker by 1 %."""
    still, transform = astronaut(), made(store, slim=60.0, eyes=40.0, nose=40.0, lips=40.0)
    fields: list[Tensor] = []

    def recorded(frame: Frame, source: Tensor, target: Tensor, mesh: Tensor, box: Box, margin: float) -> None:
        fields.append(displacement(source, target, mesh, Box(160, 50, 292, 200), margin))
        warp(frame, source, target, mesh, box, margin)

    monkeypatch.setattr("transforms.library.reshape.warp", recorded)
    generator = torch.Generator().manual_seed(0)
    light = []
    for number in range(20):
        grain = torch.randn(still.planes.y.shape, generator=generator) * 2
        frame = copy_at(still, number * 3000)
        frame.writable().y.copy_((still.planes.y + grain).round().clamp(0, 255).to(torch.uint8))
        light.append(float(transform.process(frame).planes.y[70:180, 180:272].float().mean()))
    calm = torch.stack(fields[8:])
    assert float((calm - calm.mean(0)).square().sum(1).mean(0).sqrt().max()) < 0.3
    shown = torch.tensor(light[8:])
    assert float((shown - shown.mean()).abs().max() / shown.mean()) < 0.01
