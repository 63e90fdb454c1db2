"""Paths as somebody writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _expand(value: Path | None) -> Path | None:
    return value.expanduser() if value else None


UserPath = Annotated[Path | None, AfterValidator(_expand)]
"""A path or none; a leading ``~`` is the user's home."""
