"""Where settings come from: flags, then DOPPEL_* variables, then a TOML file, then defaults."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from doppel.config import PREFIX, SECRETS, Config, ConfigError
from doppel.flags import flag

FILE_VARIABLE = "DOPPEL_CONFIG"
"""Names the TOML file where no --config does."""


def load(flags: Mapping[str, Any], file: Path | None = None) -> Config:
    """Puts the sources together: flags over DOPPEL_* variables over the file (or DOPPEL_CONFIG's) over defaults.

    ``flags`` are fields by name, only those that were given. Raises ConfigError.
    """
    if file is None and os.environ.get(FILE_VARIABLE):
        file = Path(os.environ[FILE_VARIABLE])
    from_file = _read(file) if file else {}
    from_environment = _environment()
    values: dict[str, Any] = {}
    for source in (from_file, from_environment, flags):
        for secret in SECRETS:
            # Two spellings of one setting: a stronger source that has either overrides a weaker one that has the other.
            if source.keys() & (same := {secret, f"{secret}_file"}):
                values = {name: value for name, value in values.items() if name not in same}
        values.update(source)
    try:
        return Config(**values)
    except ValidationError as error:
        raise ConfigError("; ".join(_told(detail, flags, from_environment, file) for detail in error.errors())) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.expanduser().open("rb") as opened:
            values = tomllib.load(opened)
    except OSError as error:
        raise ConfigError(f"configuration file {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {file} is not valid TOML: {error}") from None
    for name in values:
        if name not in Config.model_fields:
            raise ConfigError(f"{file}: there is no setting {name!r}{_nearest(name)}; docs/configuration.md lists them all")
    return values


def _environment() -> dict[str, Any]:
    for variable in os.environ:
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and variable != FILE_VARIABLE and name not in Config.model_fields:
            raise ConfigError(
                f"environment: there is no setting {variable}{_nearest(name)}; unset it (docs/configuration.md lists them all)"
            )
    try:
        return EnvSettingsSource(Config)()
    except SettingsError as error:
        raise ConfigError(f"environment: {error}; a list of tables is written as JSON") from None


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, Config.model_fields, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _told(detail: ErrorDetails, flags: Mapping[str, Any], environment: Mapping[str, Any], file: Path | None) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not detail["loc"]:
        return message
    name, *rest = map(str, detail["loc"])
    place = ".".join([name, *rest])
    if name in flags:
        return f"{flag(name)}: {message}"
    if name in environment:
        return f"{PREFIX}{name.upper()}: {message}"
    return f"{file}: {place}: {message}" if file else f"{place}: {message}"
