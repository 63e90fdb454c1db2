from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transforms.grading import cube


def written(size: int, head: str = "") -> str:
    """A table that exchanges red and blue."""
    steps = torch.linspace(0, 1, size).tolist()
    rows = [f"{blue:.6f} {green:.6f} {red:.6f}" for blue in steps for green in steps for red in steps]
    return "\n".join([f"{head}LUT_3D_SIZE {size}", *rows, ""])


def test_red_runs_first_and_sizes_are_brought_to_one() -> None:
    for size in (2, 5, 33):
        read = cube.read('TITLE "exchanged"\n# a comment\n' + written(size))
        torch.testing.assert_close(read, cube.identity().flip(0), atol=1e-5, rtol=0)


def test_a_1d_table_has_a_curve_for_each_channel() -> None:
    read = cube.read("LUT_1D_SIZE 2\r\n1 0 0\r\n0 0.5 1\r\n")
    red, green, blue = cube.identity()
    torch.testing.assert_close(read, torch.stack((1 - red, green / 2, blue)), atol=1e-5, rtol=0)


def test_the_domain_is_what_the_first_and_the_last_entry_stand_for() -> None:
    read = cube.read("DOMAIN_MIN 0 0 0\nDOMAIN_MAX 0.5 0.5 0.5\nLUT_1D_SIZE 2\n0 0 0\n1 1 1\n")
    torch.testing.assert_close(read, (cube.identity() * 2).clamp(max=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no .cube table"),
        ("0 0 0\n1 1 1\n", "no .cube table"),
        ("LUT_3D_SIZE 2\nLUT_1D_SIZE 2\n", "second size"),
        ("LUT_3D_SIZE 999999\n", "whole number from 2"),
        ("LUT_3D_SIZE 1\n", "whole number from 2"),
        ("LUT_3D_SIZE -2\n", "whole number from 2"),
        ("LUT_3D_SIZE 2e3\n", "whole number from 2"),
        ("<html>\n", "line 1"),
        ("DOMAIN_MIN 0 0\nLUT_3D_SIZE 2\n", "three numbers"),
        ("DOMAIN_MAX nan 1 1\nLUT_3D_SIZE 2\n", "beyond"),
        ("DOMAIN_MAX 0 1 1\nLUT_3D_SIZE 2\n", "below"),
        ("LUT_3D_SIZE 2\n0 0 0\n", "8 lines of three numbers, and has 1"),
        (written(2).replace("1.000000", "1,0", 1), "something else than a number"),
        (written(2).replace("1.000000", "inf", 1), "not finite"),
        ("#" * (cube.MAX_TEXT + 1), "characters"),
    ],
)
def test_what_is_no_table_is_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        cube.read(text)


@given(st.text(max_size=200), st.sampled_from(["", "LUT_3D_SIZE 2\n", "LUT_1D_SIZE 2\nDOMAIN_MIN "]))
def test_any_text_is_a_table_or_refused(text: str, start: str) -> None:
    try:
        read = cube.read(start + text)
    except ValueError:
        return
    assert read.shape == (3, cube.SIZE, cube.SIZE, cube.SIZE)
