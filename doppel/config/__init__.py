"""What an operator may set: every option with its unit, its bounds, and why its default is what it is.

A part for each subject has its fields and what one field alone must be; ``Config`` puts them together.
"""

from __future__ import annotations

from doppel.config.config import PREFIX, Config
from doppel.config.error import ConfigError
from doppel.config.loopback import is_loopback
from doppel.config.secret_files import SECRETS
from doppel.config.turn import IceServer

__all__ = ["PREFIX", "SECRETS", "Config", "ConfigError", "IceServer", "is_loopback"]
