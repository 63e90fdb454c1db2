"""Lists of words."""

from __future__ import annotations

from typing import Annotated

from pydantic_settings import NoDecode

Words = Annotated[tuple[str, ...], NoDecode]
"""A list; in a variable, its words are separated by commas."""


def split(value: object) -> object:
    """A text's words, as a variable has them; what is a list already stays as it is.

    Each part makes its own validator of it, under a name of its own: pydantic keeps one of two that are called the same.
    """
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value
