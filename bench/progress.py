"""What the bench is doing, said while it does it."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """One line on stderr, so that stdout stays the result."""
    print(line, file=sys.stderr, flush=True)
