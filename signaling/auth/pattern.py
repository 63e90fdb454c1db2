"""Names of streams with ``*`` in them, which stands for any characters, or none: ``anna``, ``team-*``, ``*``."""

from __future__ import annotations

import re

PATTERN = re.compile(r"[A-Za-z0-9_*-]{1,64}")
"""A stream's name has these characters, without the star."""


def check(pattern: str) -> str:
    """The pattern itself. Raises ValueError."""
    if not PATTERN.fullmatch(pattern):
        raise ValueError("streams are named by 1 to 64 letters, digits, '-' and '_', with '*' for any of them: team-*")
    return pattern


def matches(pattern: str, name: str) -> bool:
    """Takes time by the length of the two, whatever stars there are."""
    head, *parts = pattern.split("*")
    if not parts:
        return pattern == name
    tail, at = parts.pop(), len(head)
    if not name.startswith(head):
        return False
    for part in parts:
        at = name.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(name) - len(tail) >= at and name.endswith(tail)
