from __future__ import annotations

import pytest

from docs.conformance import MODULES, PAGE, line
from tests.contract.musts import rows


@pytest.mark.parametrize("title", MODULES)
def test_the_table_has_every_test_and_says_that_it_passes(title: str) -> None:
    """If not: ``python -m docs.conformance``."""
    _, _, part = PAGE.read_text().partition(f"## {title}\n")
    table = [row for row in part.partition("\n## ")[0].splitlines() if row.startswith("| ") and "---" not in row][1:]
    assert table == [line(row, "passes") for row in rows(MODULES[title])]
