"""Tests of the configuration see none of the user's own."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("DOPPEL_")]:
        monkeypatch.delenv(variable)
