from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from tests.transforms.grading.test_cube import written
from tests.transforms.pictures import copied, flat, noise, same
from transforms.context import Context
from transforms.frame import Frame
from transforms.library.grade import Grade, GradeSettings
from transforms.models.store import Store


def make(store: Store, **settings: object) -> Grade:
    grade = Grade(GradeSettings.model_validate(settings), Context(torch.device("cpu"), store))
    grade.prepare()
    return grade


def shown(store: Store, frame: Frame, **settings: object) -> Frame:
    return make(store, **settings).process(Frame(frame.planes, color=frame.color, source=object()))


def test_by_default_the_source_goes_on_untouched(store: Store) -> None:
    assert shown(store, noise(320, 180)).source is not None


def test_exposure_lifts_the_middle_and_keeps_black_and_white(store: Store) -> None:
    lumas = [int(shown(store, flat(16, 16, code), exposure=1.5).planes.y[0, 0]) for code in (16, 110, 235)]
    assert abs(lumas[0] - 16) <= 1
    assert lumas[1] > 145
    assert abs(lumas[2] - 235) <= 1


def test_warmer_is_redder_and_cooler_is_bluer(store: Store) -> None:
    grey = flat(16, 16, 120)
    warm, cool = (shown(store, grey, temperature=kelvin).planes for kelvin in (10000, 3500))
    assert int(warm.v[0, 0]) > 131 > 125 > int(warm.u[0, 0])
    assert int(cool.u[0, 0]) > 134 > 122 > int(cool.v[0, 0])
    magenta = shown(store, grey, tint=100).planes
    assert min(int(magenta.u[0, 0]), int(magenta.v[0, 0])) > 130


def test_a_table_of_ones_own_and_its_strength(store: Store) -> None:
    red = noise(2, 2)
    red.fill(82, 90, 240)
    full = shown(store, red, look="own", lut=written(17)).planes
    assert int(full.u[0, 0]) > 230
    assert int(full.v[0, 0]) < 120
    assert same(copied(shown(store, red, look="own", lut=written(17), strength=0)), red.planes)


def test_a_vignette_darkens_corners_and_not_the_middle(store: Store) -> None:
    y = shown(store, flat(320, 180, 200), vignette=80).planes.y
    assert int(y[90, 160]) == 200
    assert int(y[0, 0]) < 80
    assert int(y[0, 0]) == int(y[-1, -1])


def test_changes_ease_and_arrive(store: Store) -> None:
    grade = make(store)
    grade.process(flat(16, 16, 110))
    grade.update(GradeSettings(exposure=2, look="noir"))
    lumas = [int(grade.process(flat(16, 16, 110, pts=number * 3000)).planes.y[0, 0]) for number in range(1, 60)]
    steps = [b - a for a, b in zip([110, *lumas], lumas, strict=False)]
    assert max(map(abs, steps)) < 0.35 * (lumas[-1] - 110)
    assert lumas[-1] == int(shown(store, flat(16, 16, 110), exposure=2, look="noir").planes.y[0, 0])


def test_a_table_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(ValidationError, match=r"no line of a \.cube file"):
        GradeSettings(lut="hello")
    with pytest.raises(ValueError, match="8 lines"):
        make(store, lut="LUT_3D_SIZE 2\n0 0 0\n")
    assert not make(store).accepts(GradeSettings(lut=written(2)))
