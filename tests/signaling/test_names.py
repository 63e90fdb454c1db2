from __future__ import annotations

import pytest

from signaling.errors import BadRequest
from signaling.names import check


@pytest.mark.parametrize("name", ["a", "Stage-1_b", "x" * 64])
def test_good_names(name: str) -> None:
    assert check(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "..", "ä", "a\n", "a%2Fb", "a+b", "#"])
def test_bad_names(name: str) -> None:
    with pytest.raises(BadRequest, match="letters"):
        check(name)
