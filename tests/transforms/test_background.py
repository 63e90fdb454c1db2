from __future__ import annotations

import base64
import io
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from tests.footage import clip, frames
from transforms.color import Color, rgb_to_yuv
from transforms.context import Context
from transforms.frame import Frame, Planes
from transforms.library.background import DATA_URL, FADE, Background, BackgroundSettings, blend
from transforms.models.store import Store
from transforms.people.matte import Matte
from transforms.people.room import out_of_focus

RATE = 30

FACE = (slice(90, 150), slice(190, 250))
"""Rows and columns of the portrait: nothing but face."""

ROOM = (slice(20, 120), slice(40, 120))
"""Nothing but room, far from her."""


@pytest.fixture(scope="module")
def portrait() -> Frame:
    return next(frames(clip("astronaut")))


@pytest.fixture
def context(store: Store) -> Context:
    return Context(torch.device("cpu"), store)


def shot(frame: Frame, number: int = 0) -> Frame:
    return Frame(frame.planes, pts=number, time_base=Fraction(1, RATE), color=frame.color, source=object())


def make(context: Context, **settings: object) -> Background:
    background = Background(BackgroundSettings.model_validate(settings), context)
    background.prepare()
    return background


def codes(color: str, like: Color) -> list[int]:
    rgb = torch.tensor(list(bytes.fromhex(color[1:]))).float().div(255)[:, None, None].expand(3, 2, 2)
    return [int(plane.flatten()[0]) for plane in rgb_to_yuv(rgb, like)]


def values(plane: Tensor) -> list[int]:
    return sorted(set(plane.flatten().tolist()))


def chroma(area: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (slice(part.start // 2, part.stop // 2) for part in area)
    return rows, columns


def data_url(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    return DATA_URL + base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("color", ["#00ff00", "#123456", "#000000", "#ffffff"])
def test_a_colour_is_that_colour_behind_her_and_nothing_of_her_changes(context: Context, portrait: Frame, color: str) -> None:
    out = make(context, style="color", color=color).process(shot(portrait))
    for plane, original, code, room, face in zip(
        out.planes,
        portrait.planes,
        codes(color, portrait.color),
        (ROOM, chroma(ROOM), chroma(ROOM)),
        (FACE, chroma(FACE), chroma(FACE)),
        strict=True,
    ):
        assert values(plane[room]) == [code]
        assert torch.equal(plane[face], original[face])
    assert out.source is None


@pytest.mark.parametrize("settings", [{}, {"strength": 0}, {"style": "image"}])
def test_her_face_stays_and_her_room_goes(context: Context, portrait: Frame, settings: dict[str, object]) -> None:
    out = make(context, **settings).process(shot(portrait))
    assert torch.equal(out.planes.y[FACE], portrait.planes.y[FACE])
    flag, shown = portrait.planes.y[20:120, :60].float(), out.planes.y[20:120, :60].float()
    detail = (flag[:, 1:] - flag[:, :-1]).abs().mean()
    assert (shown[:, 1:] - shown[:, :-1]).abs().mean() < 0.7 * detail


def test_strength_takes_detail_away_steadily(context: Context, portrait: Frame) -> None:
    detail = []
    for strength in (0, 30, 60, 100):
        y = make(context, strength=strength).process(shot(portrait)).planes.y[ROOM].float()
        detail.append(float((y[1:] - y[:-1]).abs().mean()))
    assert detail == sorted(detail, reverse=True)
    assert detail[3] < detail[0] / 4


def test_the_blur_takes_no_colour_from_the_person() -> None:
    """A white figure in a black room: there is no white in the room, however wide the blur."""
    figure = torch.zeros(144, 256)
    figure[40:, 90:160] = 1
    picture = torch.stack((235 * figure, 128 + 0 * figure, 128 + 0 * figure))
    for sigma in (0.006, 0.03, 0.08):
        room = out_of_focus(Matte(figure, figure, picture), sigma, (360, 640))
        assert float(room[0].max()) < 0.5
        torch.testing.assert_close(room[1:], torch.full((2, 360, 640), 128.0), rtol=0, atol=0.01)


def test_a_plain_room_stays_as_it_is() -> None:
    figure = torch.zeros(144, 256)
    figure[:, 100:] = 0.7
    plain = torch.tensor([100.0, 90.0, 160.0])[:, None, None].expand(3, 144, 256)
    room = out_of_focus(Matte(figure, figure, plain), 0.02, (101, 203))
    torch.testing.assert_close(room, plain[:, :1, :1].expand(3, 101, 203), rtol=0, atol=0.01)


def test_all_is_room_where_nobody_is_seen(context: Context) -> None:
    empty = Frame(Planes(torch.full((360, 640), 90, dtype=torch.uint8), *[torch.full((180, 320), 128, dtype=torch.uint8)] * 2))
    y, u, v = make(context, style="color", color="#ff0000").process(empty).planes
    assert [values(y), values(u), values(v)] == [[code] for code in codes("#ff0000", Color())]


def test_the_same_frames_give_the_same_output(context: Context, portrait: Frame) -> None:
    first, second = ([make(context).process(shot(portrait, n)).planes for n in range(2)] for _ in range(2))
    assert all(torch.equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("style", ["blur", "color", "image"])
def test_sizes_change_between_frames(context: Context, style: str) -> None:
    background = make(context, style=style)
    random = torch.Generator().manual_seed(6)
    for number, (height, width) in enumerate([(2, 2), (720, 1280), (3, 3), (361, 641), (2, 400), (400, 2), (640, 360)]):
        half = (-(-height // 2), -(-width // 2))
        planes = Planes(
            *(torch.randint(0, 256, size, generator=random, dtype=torch.uint8) for size in ((height, width), half, half))
        )
        before = [plane.clone() for plane in planes]
        out = background.process(Frame(planes, pts=number, time_base=Fraction(1, RATE)))
        assert [plane.shape for plane in out.planes] == [plane.shape for plane in before]
        assert all(plane.dtype == torch.uint8 for plane in out.planes)
        assert all(torch.equal(plane, kept) for plane, kept in zip(planes, before, strict=True)), (
            "the decoder's memory was written to"
        )


def luma(background: Background, portrait: Frame, number: int) -> float:
    return float(background.process(shot(portrait, number)).planes.y[ROOM].float().mean())


def test_another_colour_fades_in(context: Context, portrait: Frame) -> None:
    background = make(context, style="color", color="#000000")
    black, white = luma(background, portrait, 0), codes("#ffffff", portrait.color)[0]
    background.update(BackgroundSettings(style="color", color="#ffffff"))
    seen = [luma(background, portrait, number) for number in range(1, 4 + int(FADE * RATE))]
    assert seen == sorted(seen)
    assert max(b - a for a, b in zip([black, *seen], seen, strict=False)) < (white - black) / 4
    assert seen[-1] == white


def test_strength_eases(context: Context, portrait: Frame) -> None:
    def detail(background: Background, number: int) -> float:
        y = background.process(shot(portrait, number)).planes.y[ROOM].float()
        return float((y[1:] - y[:-1]).abs().mean())

    background = make(context, strength=0)
    weak = detail(background, 0)
    background.update(BackgroundSettings(strength=100))
    seen = [detail(background, number) for number in range(1, 40)]
    strong = detail(make(context, strength=100), 0)
    assert strong + 0.7 * (weak - strong) < seen[0] < weak
    assert abs(seen[-1] - strong) < 0.05 * (weak - strong)


def test_a_picture_covers_the_room(context: Context, portrait: Frame) -> None:
    left_and_right = np.zeros((90, 160, 3), np.uint8)
    left_and_right[:, :80] = (255, 0, 0)
    left_and_right[:, 80:] = (0, 0, 255)
    y = make(context, style="image", image=data_url(left_and_right)).process(shot(portrait)).planes.y
    assert y[20:120, 10:60].float().mean().round() == codes("#ff0000", portrait.color)[0]
    assert y[20:120, 350:500].float().mean().round() == codes("#0000ff", portrait.color)[0]


@pytest.mark.parametrize("size", [(1080, 1), (1, 1920), (1, 1)])
def test_a_picture_of_an_odd_shape_costs_no_more_than_another(context: Context, size: tuple[int, int]) -> None:
    image = data_url(np.full((*size, 3), 255, np.uint8))
    empty = Frame(Planes(torch.full((36, 640), 90, dtype=torch.uint8), *[torch.full((18, 320), 128, dtype=torch.uint8)] * 2))
    y = make(context, style="image", image=image).process(empty).planes.y
    assert values(y) == [codes("#ffffff", Color())[0]]


def test_a_new_picture_is_prepared_beside_the_running_chain(context: Context) -> None:
    url = data_url(np.zeros((4, 4, 3), np.uint8))
    background = make(context)
    assert background.accepts(BackgroundSettings(strength=1, style="image", image="studio"))
    assert not background.accepts(BackgroundSettings(image=url))
    assert make(context, image=url).accepts(BackgroundSettings(style="color", image=url))


@pytest.mark.parametrize(
    "settings",
    [
        {"style": "green"},
        {"strength": 101},
        {"strength": -1},
        {"color": "red"},
        {"color": "#12345"},
        {"image": "beach"},
        {"image": "https://example.org/beach.png"},
        {"image": "data:image/png;base64,"},
        {"image": DATA_URL + "AAAA"},
        {"image": DATA_URL + "AAA"},
        {"image": DATA_URL + "A" * 700_000},
        {"blur": 3},
    ],
)
def test_settings_from_outside_are_checked(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BackgroundSettings.model_validate(settings)


def test_blend_is_exact_at_both_ends() -> None:
    random = torch.Generator().manual_seed(7)

    def plane(*size: int) -> Tensor:
        return torch.randint(0, 256, size, generator=random, dtype=torch.uint8)

    planes = Planes(plane(7, 9), plane(4, 5), plane(4, 5))
    room = torch.tensor([10.0, 20.0, 255.0])[:, None, None].expand(3, 4, 5)
    assert all(torch.equal(a, b) for a, b in zip(blend(planes, torch.ones(4, 5), room), planes, strict=True))
    gone = blend(planes, torch.zeros(4, 5), room)
    assert [values(plane) for plane in gone] == [[10], [20], [255]]
    assert [plane.shape for plane in gone] == [plane.shape for plane in planes]
    middle = blend(planes, torch.full((4, 5), 0.5), room)
    assert torch.equal(middle.u, ((planes.u.float() + 20) / 2 + 0.5).to(torch.uint8))
