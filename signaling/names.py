"""What a stream may be called."""

from __future__ import annotations

import re

from signaling.errors import BadRequest

PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Safe in a URL, a file name, an MQTT topic and a log line."""


def check(name: str) -> str:
    """The name itself. Raises BadRequest."""
    if not PATTERN.fullmatch(name):
        raise BadRequest("a stream's name has 1 to 64 letters, digits, '-' or '_'")
    return name
