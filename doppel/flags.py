"""The command line's options, made from the configuration's fields."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from doppel.config import Config

NO_FLAG = ("access_key", "ice_servers", "turn_secret", "mqtt_password")
"""They hold secrets, and every user of a machine can read its command lines."""


def flag(name: str) -> str:
    """The command line's spelling of a field."""
    return "--" + name.replace("_", "-")


def add(parser: argparse.ArgumentParser, names: Iterable[str] = tuple(Config.model_fields)) -> None:
    """Adds ``--config`` and the flags of these fields; an option that is not given leaves no trace in the namespace."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with the same settings (default: $DOPPEL_CONFIG)")
    for name in names:
        if name not in NO_FLAG:
            field = Config.model_fields[name]
            parser.add_argument(flag(name), dest=name, default=argparse.SUPPRESS, help=_help(field), **_shape(name, field))


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that were set on the command line."""
    return {name: value for name, value in vars(arguments).items() if name in Config.model_fields}


def extra(field: FieldInfo, name: str) -> str:
    """A field's ``unit`` or ``reason``, or nothing."""
    about = field.json_schema_extra
    return str(about.get(name, "")) if isinstance(about, dict) else ""


def default(field: FieldInfo) -> str:
    """A field's default as somebody would write it, with its unit."""
    value = field.default
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    unit = extra(field, "unit")
    return f"{text} {unit}" if unit else text


def _help(field: FieldInfo) -> str:
    return f"{field.description} (default: {default(field)})".replace("`", "").replace("%", "%%")


def _shape(name: str, field: FieldInfo) -> dict[str, Any]:
    kind: Any = field.annotation
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        choices = {"choices": get_args(item)} if get_origin(item) is Literal else {}
        metavar = {
            "ice_address": "ADDR",
            "announce_address": "ADDR",
            "cors_origins": "ORIGIN",
            "codecs": "CODEC",
            "torch_modules": "MODULE:CLASS",
        }.get(name, "HOST")
        return {"nargs": "+", "action": "extend", "metavar": metavar, **choices}
    if Path in (kind, *get_args(kind)):
        return {"metavar": "DIR" if name.endswith("_dir") else "FILE"}
    return {"metavar": extra(field, "unit").upper() or name.rsplit("_", 1)[-1].upper()}
