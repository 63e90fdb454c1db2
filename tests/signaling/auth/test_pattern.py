from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.auth.pattern import check, matches


@pytest.mark.parametrize(
    ("pattern", "name", "same"),
    [
        ("anna", "anna", True),
        ("anna", "Anna", False),
        ("anna", "anna2", False),
        ("team-*", "team-", True),
        ("team-*", "team-a", True),
        ("team-*", "a-team-b", False),
        ("*", "", True),
        ("*-cam", "a-cam", True),
        ("ab*ba", "aba", False),
        ("a*b*a", "a-b-b-a", True),
    ],
)
def test_what_a_pattern_names(pattern: str, name: str, same: bool) -> None:
    assert matches(pattern, name) == same


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_is_any_characters(pattern: str, name: str) -> None:
    assert matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


def test_many_stars_cost_no_more() -> None:
    assert not matches("*a" * 32, "b" * 100_000)


@pytest.mark.parametrize("wrong", ["", "a b", "a?", "[a]", "a/b", "x" * 65, "ä"])
def test_what_is_no_pattern(wrong: str) -> None:
    with pytest.raises(ValueError, match="team-"):
        check(wrong)
    assert check("team-*") == "team-*"
