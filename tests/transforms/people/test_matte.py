from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from tests.footage import clip, frames
from transforms.color import Color
from transforms.context import Context
from transforms.frame import Frame, Planes
from transforms.models.store import Store
from transforms.people.matte import Matte, MatteMaker, refine
from transforms.people.resize import enlarge, reduce


@pytest.fixture(scope="module")
def portrait() -> Frame:
    """512x512: a face at about (225, 115), sky-like cloth behind it, a flag to the left."""
    return next(frames(clip("astronaut")))


@pytest.fixture
def maker(store: Store) -> MatteMaker:
    return MatteMaker(Context(torch.device("cpu"), store))


def noisy(frame: Frame, seed: int, sigma: float) -> Frame:
    """As a camera sees the same thing again: sigma in codes, chroma with half of it."""
    random = torch.Generator().manual_seed(seed)

    def grain(plane: Tensor, sigma: float) -> Tensor:
        return (plane + sigma * torch.randn(plane.shape, generator=random)).round().clamp(0, 255).to(torch.uint8)

    y, u, v = frame.planes
    return Frame(Planes(grain(y, sigma), grain(u, sigma / 2), grain(v, sigma / 2)), color=frame.color)


@pytest.fixture(scope="module")
def walk(store: Store, portrait: Frame) -> list[Frame]:
    """She, cut out, before a plain wall, 8 pixels further to the right each time; 1000x512."""
    alpha = MatteMaker(Context(torch.device("cpu"), store))(portrait).half
    sharp = enlarge(alpha[None], (512, 512))[0]
    walk = []
    for at in range(0, 160, 8):
        planes = []
        for plane, cut, step, code in zip(portrait.planes, (sharp, alpha, alpha), (1, 2, 2), (150, 120, 134), strict=True):
            wall = torch.full((512 // step, 1000 // step), float(code))
            place = wall[:, at // step : at // step + plane.shape[1]]
            place += cut * (plane - place)
            planes.append(wall.round().to(torch.uint8))
        walk.append(Frame(Planes(*planes), color=portrait.color))
    return walk


def test_a_person_is_told_from_the_room(maker: MatteMaker, portrait: Frame) -> None:
    matte = maker(portrait)
    assert matte.half.shape == portrait.planes.u.shape
    assert float(matte.half.min()) == 0.0
    assert float(matte.half.max()) == 1.0
    assert float(matte.half[45:75, 95:125].min()) == 1.0, "the face"
    assert float(matte.half[10:60, 20:60].max()) == 0.0, "the room"


def test_edges_follow_the_picture() -> None:
    """A dark disc before a bright wall, of which the mask knows no more than about where it is."""
    y, x = torch.meshgrid(torch.arange(360.0), torch.arange(640.0), indexing="ij")
    disc = ((y - 180).square() + (x - 320).square() < 120**2).float()
    half = torch.stack((200 - 150 * disc, 128 - 10 * disc, 128 + 10 * disc))
    picture = reduce(half, (144, 256))
    vague = avg_pool2d(reduce(disc[None], (144, 256))[None], 7, 1, 3)[0, 0]
    before = float((enlarge(vague[None], (360, 640))[0] - disc).abs().mean())
    assert float((refine(vague, picture, half) - disc).abs().mean()) < before / 4


def test_nothing_flickers_on_a_still_person(maker: MatteMaker, store: Store, portrait: Frame) -> None:
    def flicker(mattes: list[Matte]) -> float:
        alphas = torch.stack([matte.half for matte in mattes])
        edges = (alphas.mean(0) > 0.05) & (alphas.mean(0) < 0.95)
        return float((alphas[1:] - alphas[:-1]).abs()[:, edges].mean())

    shots = [noisy(portrait, seed, sigma=2.0) for seed in range(16)]
    steady = flicker([maker(shot) for shot in shots][8:])
    alone = flicker([MatteMaker(Context(torch.device("cpu"), store))(shot) for shot in shots[8:]])
    assert steady < 0.006
    assert steady < alone / 5


def test_nothing_trails_behind_a_moving_person(maker: MatteMaker, store: Store, walk: list[Frame]) -> None:
    mattes = [maker(frame) for frame in walk]
    fresh = MatteMaker(Context(torch.device("cpu"), store))(walk[-1])
    head = slice(0, 75)
    left_behind = (mattes[-1].half - fresh.half)[head]
    assert float(fresh.half[head].mean()) > 0.05, "she was not found"
    assert float((left_behind > 0.3).float().mean()) < 0.001
    assert float(left_behind.abs().mean()) < 0.005


def test_a_cut_to_an_empty_room_clears_the_matte(maker: MatteMaker, portrait: Frame) -> None:
    maker(portrait)
    empty = Frame(Planes(*(torch.full_like(plane, code) for plane, code in zip(portrait.planes, (90, 120, 130), strict=True))))
    assert float(maker(empty).half.max()) < 0.01


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (17, 640), (640, 17), (361, 639), (1080, 1920)])
def test_any_size(maker: MatteMaker, size: tuple[int, int]) -> None:
    height, width = size
    random = torch.Generator().manual_seed(5)

    def plane(height: int, width: int) -> Tensor:
        return torch.randint(0, 256, (height, width), generator=random, dtype=torch.uint8)

    half = (-(-height // 2), -(-width // 2))
    matte = maker(Frame(Planes(plane(height, width), plane(*half), plane(*half)), color=Color(full_range=True)))
    assert matte.half.shape == half
    assert bool(torch.isfinite(matte.half).all())
