from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.transforms.faces.fakes import FakeNetwork
from tests.transforms.faces.shapes import face_at
from transforms.faces.lab import delta_e, rgb_to_lab
from transforms.styles.portrait import FORGOTTEN, Portrait, Portraitist, Sitting

POINTS = F.pad(face_at(128.0, 128.0, scale=8.0)[:, :2], (0, 0, 0, 10), value=128.0)
"""(478, 2): the oval is some 110 px wide."""

SKIN = (slice(100, 160), slice(100, 156))


def sitting(face: int = 1, time: float = 0.0, colour: tuple[float, float, float] = (0.7, 0.5, 0.4)) -> Sitting:
    picture = torch.tensor(colour)[:, None, None] + 0.05 * torch.randn((3, 256, 256), generator=torch.Generator().manual_seed(2))
    return Sitting(face, picture.clamp(0, 1), POINTS, time)


class Style:
    """Draws everybody in one colour with a grain of its own, brighter from drawing to drawing."""

    def __init__(self, *levels: float) -> None:
        self.levels = list(levels) or [0.5]

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        level = self.levels.pop(0) if len(self.levels) > 1 else self.levels[0]
        grain = torch.randn((256, 256, 1), generator=torch.Generator().manual_seed(9))
        colour = torch.tensor([0.5, 0.9, 1.0]) * level
        return ((colour + 0.05 * grain).expand(len(pictures), -1, -1, -1),)


def everybody(pictures: Tensor) -> tuple[Tensor, ...]:
    return (torch.ones((*pictures.shape[:3], 1)),)


def portraitist(*levels: float) -> Portraitist:
    return Portraitist(FakeNetwork(Style(*levels)), FakeNetwork(everybody))


def colour(picture: Tensor) -> Tensor:
    return rgb_to_lab(picture)[(slice(None), *SKIN)].mean((1, 2))


def test_faces_are_drawn_in_one_batch() -> None:
    network = FakeNetwork(Style())
    drawn = Portraitist(network, FakeNetwork(everybody))([sitting(1), sitting(2)])
    assert [portrait.sitting.face for portrait in drawn] == [1, 2]
    assert network.shown == 2
    assert Portraitist(network, FakeNetwork(everybody))([]) == []


@pytest.mark.parametrize("own", [(0.7, 0.5, 0.4), (0.35, 0.22, 0.16)])
def test_a_natural_drawing_has_the_faces_own_colours(own: tuple[float, float, float]) -> None:
    (portrait,) = portraitist()([sitting(colour=own)])
    assert delta_e(colour(portrait.natural), colour(portrait.sitting.picture)) < 2
    assert delta_e(colour(portrait.drawn), colour(portrait.sitting.picture)) > 10
    half = portrait.levels(0.5)[1]
    assert delta_e(colour(half), colour(portrait.drawn)) > 4
    assert delta_e(colour(half), colour(portrait.natural)) > 4


def test_colours_are_steady_from_drawing_to_drawing() -> None:
    artist = portraitist(0.5, 0.6)
    lightness = [colour(artist([sitting(time=time)])[0].drawn)[0] for time in (0.0, 0.1, 10.0)]
    jump = colour(portraitist(0.6)([sitting()])[0].drawn)[0] - lightness[0]
    assert 0 <= lightness[1] - lightness[0] < 0.15 * jump
    assert lightness[2] - lightness[0] == pytest.approx(float(jump), abs=0.2)


def test_a_face_that_was_away_is_forgotten() -> None:
    artist = portraitist()
    artist([sitting(1)])
    artist([sitting(2, time=FORGOTTEN + 1)])
    assert list(artist._colours) == [2]


def test_a_drawing_is_kept_at_several_sizes() -> None:
    (portrait,) = portraitist()([sitting()])
    levels = portrait.levels(0.0)
    assert [tuple(level.shape) for level in levels] == [(3, side, side) for side in (512, 256, 128, 64, 32)]
    assert all(0 <= level.min() <= level.max() <= 1 for level in levels)
    assert portrait.levels(0.0) is levels
    assert (levels[1] - portrait.drawn).abs().mean() < 0.02


def test_a_flat_picture_is_no_division_by_nothing() -> None:
    flat = Sitting(1, torch.full((3, 256, 256), 0.5), POINTS, 0.0)
    artist = Portraitist(
        FakeNetwork(lambda pictures: (torch.zeros_like(pictures),)), FakeNetwork(lambda p: (torch.zeros((1, 256, 256, 1)),))
    )
    (portrait,) = artist([flat])
    assert isinstance(portrait, Portrait)
    assert torch.isfinite(portrait.drawn).all()
    assert torch.isfinite(portrait.natural).all()
