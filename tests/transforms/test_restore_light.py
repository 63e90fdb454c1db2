"""Measured on footage that was darkened and tinted."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.pictures import flat
from transforms.color import yuv444_to_rgb
from transforms.context import Context
from transforms.frame import Frame
from transforms.grading.light import adaptation, coded, linear
from transforms.grading.table import Table
from transforms.library.restore_light import RestoreLight, RestoreLightSettings
from transforms.models.store import Store

RATE = 30

SETTLE = 40
"""Frames."""


@pytest.fixture(scope="module")
def context(store: Store) -> Context:
    return Context(torch.device("cpu"), store)


def make(context: Context, **settings: object) -> RestoreLight:
    transform = RestoreLight(RestoreLightSettings.model_validate(settings), context)
    transform.prepare()
    return transform


def spoiled(frame: Frame, ev: float, kelvin: float) -> Frame:
    """As a sensor that was exposed by so much and balanced for another light would have it."""
    matrix = adaptation(kelvin, 0.0)

    def change(rgb: Tensor) -> Tensor:
        return coded((matrix @ linear(rgb)) * 2**ev).clamp(max=1.0)

    return Frame(Table(change, frame.color, frame.device)(frame.planes), color=frame.color)


def skin(frame: Frame, context: Context) -> Tensor:
    """(4,) luma, and linear RGB as a direction, of the first face's middle."""
    box = max(context.faces.look(frame), key=lambda seen: seen.score).box
    rows = slice(int(box.top + 0.4 * box.height) // 2, int(box.top + 0.7 * box.height) // 2)
    columns = slice(int(box.left + 0.3 * box.width) // 2, int(box.left + 0.7 * box.width) // 2)
    y, u, v = frame.planes
    yuv = torch.stack((y[::2, ::2][rows, columns], u[rows, columns], v[rows, columns])).float()
    rgb = linear(yuv444_to_rgb(yuv.reshape(3, -1), frame.color)).mean(1)
    return torch.cat((yuv[0].mean()[None], rgb / rgb.norm()))


def angle(one: Tensor, other: Tensor) -> float:
    """Degrees between two colours."""
    return math.degrees(math.acos(min(1.0, float(one[1:] @ other[1:]))))


def settled(transform: RestoreLight, frame: Frame, start: int = 0) -> Frame:
    for number in range(start, start + SETTLE):
        shown = transform.process(Frame(frame.planes, pts=number, time_base=Fraction(1, RATE), color=frame.color))
    return shown


@pytest.mark.parametrize("name", ["protagonist", "expressions"])
def test_dark_and_tinted_footage_comes_back(context: Context, name: str) -> None:
    good = next(frames(clip(name)))
    bad = spoiled(good, -2.5, 11000)
    shown = settled(make(context), bad)
    was, before, after = (skin(frame, context) for frame in (good, bad, shown))
    assert was[0] - after[0] < 0.5 * (was[0] - before[0])
    assert angle(was, after) < 0.7 * angle(was, before)


@pytest.mark.parametrize("name", ["protagonist", "expressions", "talkingface"])
def test_good_footage_stays_about_as_it_is(context: Context, name: str) -> None:
    good = next(frames(clip(name)))
    was, after = skin(good, context), skin(settled(make(context), good), context)
    assert abs(float(after[0] - was[0])) < 8
    assert angle(was, after) < 3.5


def test_nothing_bright_is_lost(context: Context) -> None:
    bad = spoiled(next(frames(clip("protagonist"))), -1.5, 8000)
    shown = settled(make(context, brightness=1.5), bad)
    assert int((shown.planes.y >= 235).sum()) <= int((bad.planes.y >= 235).sum())


def test_it_does_not_pump(context: Context) -> None:
    """On moving footage in steady light, what is done about the light rests but for the beginning."""
    transform = make(context)
    gains = []
    for number, frame in enumerate(frames(clip("talkingface"), 90)):
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        transform.process(frame)
        gains.append(transform._shown.exposure)
    late = gains[30:]
    assert max(late) - min(late) < 0.25
    assert max(abs(b - a) for a, b in pairwise(late)) < 0.012


def test_a_lamp_that_is_switched_on_is_followed_smoothly(context: Context) -> None:
    good = next(frames(clip("expressions")))
    transform = make(context)
    settled(transform, spoiled(good, -3, 6500))
    dark = transform._shown.exposure
    settled(transform, good, SETTLE)
    assert transform._shown.exposure < dark - 1.5


def test_settings_at_zero_leave_the_picture_alone(context: Context) -> None:
    frame = flat(320, 180, 40)
    shown = make(context, exposure=0, white_balance=0).process(Frame(frame.planes, source=object()))
    assert shown.source is not None


@pytest.mark.parametrize("name", ["protagonist", "expressions", "astronaut"])
def test_a_dark_picture_gets_no_cast(context: Context, name: str) -> None:
    good = next(frames(clip(name)))
    shown = settled(make(context), spoiled(good, -3.0, 6500))
    assert angle(skin(shown, context), skin(good, context)) < 3.5
