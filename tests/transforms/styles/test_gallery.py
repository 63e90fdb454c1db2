from __future__ import annotations

import pytest
import torch

from transforms.styles.gallery import CHANGE, KEPT, Gallery
from transforms.styles.portrait import Portrait, Sitting

BLANK = torch.zeros((3, 256, 256))


def portrait(face: int, time: float = 0.0) -> Portrait:
    return Portrait(Sitting(face, BLANK, torch.zeros((478, 2)), time), BLANK, BLANK[0], BLANK)


def test_nobody_is_shown_who_was_not_drawn() -> None:
    assert Gallery().shown(1, 0.0) == ([], 0.0)


def test_the_first_drawing_fades_in_over_the_face() -> None:
    gallery, first = Gallery(), portrait(1)
    gallery.hang([first], 10.0, fade=True)
    covers = [gallery.shown(1, 10.0 + part * CHANGE) for part in (0.0, 0.5, 1.0, 2.0)]
    assert [cover for _, cover in covers] == pytest.approx([0, 0.5, 1, 1])
    assert all(shown == [(first, 1.0)] for shown, _ in covers)


def test_the_next_fades_in_over_the_one_before() -> None:
    gallery, first, second = Gallery(), portrait(1), portrait(1)
    gallery.hang([first], 10.0, fade=False)
    assert gallery.shown(1, 10.0) == ([(first, 1.0)], 1.0)
    gallery.hang([second], 11.0, fade=True)
    shown, cover = gallery.shown(1, 11.0 + CHANGE / 4)
    assert cover == 1
    assert [each for each, _ in shown] == [first, second]
    assert [share for _, share in shown] == pytest.approx([0.75, 0.25])
    assert gallery.shown(1, 11.01 + CHANGE) == ([(second, 1.0)], 1.0)


def test_a_step_back_in_time_shows_the_newest() -> None:
    gallery, first, second = Gallery(), portrait(1), portrait(1)
    gallery.hang([first], 10.0, fade=False)
    gallery.hang([second], 11.0, fade=True)
    assert gallery.shown(1, 5.0) == ([(second, 1.0)], 1.0)


def test_who_is_gone_is_forgotten() -> None:
    gallery = Gallery()
    gallery.hang([portrait(1), portrait(2)], 10.0, fade=False)
    gallery.shown(1, 10.0 + KEPT)
    gallery.tidy(10.1 + KEPT)
    assert gallery.shown(1, 10.1 + KEPT)[0]
    assert not gallery.shown(2, 10.1 + KEPT)[0]


def test_it_knows_who_has_waited_longest() -> None:
    gallery = Gallery()
    gallery.hang([portrait(1, 9.0), portrait(2, 8.0)], 10.0, fade=False)
    assert sorted([1, 2, 3], key=gallery.drawn) == [3, 2, 1]
