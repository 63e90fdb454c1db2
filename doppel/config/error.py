"""Why a configuration cannot be used."""

from __future__ import annotations


class ConfigError(Exception):
    """A setting cannot be used; the message names it, where it came from, and what to do."""
