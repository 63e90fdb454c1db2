from __future__ import annotations

import pytest
import torch

from transforms.avatars.puppet import Puppet, Turn
from transforms.avatars.setting import Setting
from transforms.avatars.stage import HEAD, Fit, Stage, laid_out
from transforms.color import Color
from transforms.faces.blendshapes import NAMES
from transforms.faces.regions import CHIN, FOREHEAD
from transforms.frame import Box, Frame
from transforms.portraits.drawn import drawn

CPU = torch.device("cpu")
LANDMARKS = drawn().landmarks
STILL = [0.0] * len(NAMES)


def setting(portrait: tuple[int, int] = (480, 480)) -> Setting:
    width, height = portrait
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand((3, height, width), generator=generator)
    person = torch.zeros((height, width))
    person[height // 4 :, width // 4 : -width // 4] = 1
    scale = torch.tensor([width / 480, height / 480, width / 480])
    return Setting(rgb, person, rgb * 0.5, LANDMARKS * scale)


@pytest.mark.parametrize("fit", ["head", "fill", "whole"])
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (319, 181), (17, 2), (2, 2)])
def test_the_portrait_lies_in_the_frame(size: tuple[int, int], fit: Fit) -> None:
    layout = laid_out(LANDMARKS / 4, (480, 480), size, fit)
    box = layout.box
    assert 0 <= box.left <= box.right <= size[0]
    assert 0 <= box.top <= box.bottom <= size[1]
    assert not box.empty
    if fit == "fill":
        assert (box.width, box.height) == size
    if fit == "whole":
        assert layout.whole.width <= size[0] + 1


def test_a_distant_head_is_brought_near() -> None:
    small = LANDMARKS / 4 + torch.tensor([180.0, 120.0, 0.0])
    points = laid_out(small, (480, 480), (1280, 720), "head").points(small)
    assert abs(float((points[CHIN] - points[FOREHEAD]).norm()) - HEAD * 720) < 3
    assert abs(float(points[:, 0].mean()) - 640) < 20


def test_at_rest_nothing_is_changed() -> None:
    made = setting()
    layout = laid_out(made.landmarks, (480, 480), (640, 360), "whole")
    stage = Stage(made, layout, (640, 360), Color(), CPU)
    puppet = Puppet(layout.points(made.landmarks), layout.box, CPU)
    frame = Frame(stage.planes, color=stage.color)
    stage.show(frame, puppet.show(Turn(), STILL, 0.0).field, puppet.box)
    assert float((frame.planes.y.int() - stage.planes.y.int()).abs().max()) <= 1


@pytest.mark.parametrize("size", [(1280, 720), (319, 181), (64, 48), (17, 2), (3, 5), (2, 2)])
def test_a_turned_head_stays_within_its_frame(size: tuple[int, int]) -> None:
    made = setting((97, 61))
    layout = laid_out(made.landmarks, (97, 61), size, "head")
    stage = Stage(made, layout, size, Color(), CPU)
    puppet = Puppet(layout.points(made.landmarks), layout.box, CPU)
    frame = Frame(stage.planes, color=stage.color)
    stage.show(frame, puppet.show(Turn(40, -30, 25), [1.0] * len(NAMES), 3.0).field, puppet.box)
    assert frame.planes.y.shape == (size[1], size[0])


def test_the_portraits_edge_stays_where_it_is() -> None:
    bounds = Box(280, 0, 1000, 720)
    made = setting()
    layout = laid_out(made.landmarks, (480, 480), (1280, 720), "whole")
    assert layout.box == bounds
    puppet = Puppet(layout.points(made.landmarks), bounds, CPU)
    field = puppet.show(Turn(20, 10, 10), STILL, 3.0).field
    inner = field[:, 1:-1, 1:-1]
    for edge in (inner[:, 0], inner[:, -1], inner[:, :, 0], inner[:, :, -1]):
        assert float(edge.abs().max()) < 0.1
    assert float(inner.abs().max()) > 20


def test_turns_have_soft_limits() -> None:
    assert Turn(200, -200, 200).limited() == pytest.approx(Turn(25, -18, 20))
    small = Turn(2, 1, -2)
    assert small.limited() == pytest.approx(small, rel=0.01)


def test_a_turn_is_a_rotation() -> None:
    matrix = Turn(20, 10, -15).matrix()
    assert torch.allclose(matrix @ matrix.T, torch.eye(3), atol=1e-6)
    # A nose, which points at the viewer, goes to the right with yaw and up with pitch.
    assert float((Turn(yaw=20).matrix() @ torch.tensor([0.0, 0.0, -1.0]))[0]) > 0.3
    assert float((Turn(pitch=20).matrix() @ torch.tensor([0.0, 0.0, -1.0]))[1]) < -0.3
