from __future__ import annotations

import pytest
import torch

from tests.footage import clip
from transforms.avatars.setting import filled, set_apart
from transforms.context import Context
from transforms.models.store import Store
from transforms.portraits.drawn import drawn
from transforms.portraits.portrait import load_portrait


def test_what_is_known_is_kept_and_the_rest_is_like_it() -> None:
    rgb = torch.full((3, 40, 60), 0.25)
    rgb[:, 10:30, 20:40] = 0.9
    known = torch.ones((1, 40, 60))
    known[:, 8:32, 18:42] = 0
    room = filled(rgb, known)
    assert torch.allclose(room, torch.full_like(room, 0.25), atol=0.02)


def test_colours_run_from_one_side_to_the_other() -> None:
    rgb = torch.zeros((3, 32, 64))
    rgb[:, :, 32:] = 1.0
    known = torch.ones((1, 32, 64))
    known[:, :, 8:56] = 0
    row = filled(rgb, known)[0, 16]
    assert float(row[10]) < 0.25 < 0.75 < float(row[53])
    assert float((row[1:] - row[:-1]).abs().max()) < 0.2


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 2), (7, 9)])
def test_where_nothing_is_known_it_is_grey(size: tuple[int, int]) -> None:
    room = filled(torch.rand((3, *size), generator=torch.Generator().manual_seed(0)), torch.zeros((1, *size)))
    assert room.shape == (3, *size)
    assert bool(room.isfinite().all())


def test_a_person_is_told_from_the_room(store: Store) -> None:
    setting = set_apart(
        load_portrait(clip("astronaut").read_bytes(), Context(torch.device("cpu"), store)), Context(torch.device("cpu"), store)
    )
    assert float(setting.person[100, 220]) == 1
    assert float(setting.person[60, 380]) == 0
    # Where her face was there is wall, and the shuttle is as it was.
    assert float((setting.room[:, 100, 220] - setting.rgb[:, 60, 330]).abs().max()) < 0.15
    assert float((setting.room - setting.rgb)[:, 20:100, 400:440].abs().max()) < 0.02


def test_a_mask_is_its_own_oval(store: Store) -> None:
    setting = set_apart(drawn(), Context(torch.device("cpu"), store))
    assert float(setting.person[240, 240]) == 1
    assert float(setting.person[:20].max()) == 0
    assert float(setting.room[0].max()) < 0.3, "no skin is left"
