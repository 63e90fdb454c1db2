"""What a standard asks for, beside the test that shows it: ``docs/conformance.py`` makes a table of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest


def must(section: str, text: str) -> pytest.MarkDecorator:
    """Marks a test with the section, and in our words what that asks for. The module's DOCUMENT says of which standard."""
    return pytest.mark.must(section, text)


@dataclass(frozen=True, slots=True)
class Row:
    document: str
    section: str
    text: str
    test: str
    """The function's name."""


def rows(module: ModuleType) -> Iterator[Row]:
    """In the order of the module. Raises AssertionError where a test is not marked."""
    for name, value in vars(module).items():
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(value, "pytestmark", []) if mark.name == "must"]
        assert marks, f"{module.__name__}.{name} does not say what it shows"
        for mark in reversed(marks):
            section, text = mark.args
            yield Row(module.DOCUMENT, section, text, name)
