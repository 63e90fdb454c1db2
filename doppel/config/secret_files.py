"""Secrets that stand in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

SECRETS = ("access_key", "turn_secret", "mqtt_password")
"""Settings that may stand in a file of their own, which is named by the setting with ``_file`` after it."""


def from_files(values: Mapping[str, Any]) -> dict[str, SecretStr]:
    """The secrets that are in files, by name. Raises ValueError."""
    found: dict[str, SecretStr] = {}
    for name in SECRETS:
        path = values.get(f"{name}_file")
        if path is None:
            continue
        if values.get(name) is not None:
            raise ValueError(f"{name} and {name}_file are both set; keep one")
        try:
            found[name] = SecretStr(Path(path).expanduser().read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ValueError(f"{name}_file {path} cannot be read: {reason}") from None
    return found
