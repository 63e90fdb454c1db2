"""What a field tells of itself besides its description."""

from __future__ import annotations

from typing import Any


def about(unit: str | None, reason: str) -> dict[str, Any]:
    """A field's unit, and why its default is what it is, for the reference and ``--help``."""
    return {"unit": unit, "reason": reason} if unit else {"reason": reason}
