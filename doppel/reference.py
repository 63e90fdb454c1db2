"""Writes docs/configuration.md from the configuration's fields: ``python -m doppel.reference > docs/configuration.md``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from doppel.config import PREFIX, Config, IceServer
from doppel.flags import NO_FLAG, default, extra, flag
from doppel.sources import FILE_VARIABLE

INTRODUCTION = f"""\
# Configuration

<!-- Made by `python -m doppel.reference > docs/configuration.md`; change doppel/config/ instead. -->

Each setting can come from four places. The first that has it wins:

1. a flag of `doppel serve`;
2. a variable `{PREFIX}...`; the items of a list are separated by commas, and `{PREFIX}ICE_SERVERS` is JSON;
3. a TOML file, named by `--config FILE` or `{FILE_VARIABLE}`;
4. the default.

A name that is no setting is refused wherever it stands, variables included. (Kubernetes adds variables such as
`{PREFIX}PORT` for a service named `doppel`: give the service another name, or set `enableServiceLinks: false`.)
A secret is never printed, and has no flag, since every user of a machine can read its command lines.

```toml
# doppel.toml
host = "0.0.0.0"
access_key_file = "/etc/doppel/key"
ice_address = ["192.0.2.7"]
max_streams = 4

[[ice_servers]]
urls = "turn:turn.example:3478?transport=udp"
username = "doppel"
credential = "..."
```

An address that others can reach needs keys. Make one with `openssl rand -hex 16 > key`; [security.md](security.md) has more.
"""


def document() -> str:
    """The whole page, as Markdown."""
    return "\n".join([INTRODUCTION, *(_section(name, field) for name, field in Config.model_fields.items())])


def _section(name: str, field: FieldInfo) -> str:
    spellings = [f"`{PREFIX}{name.upper()}`", f"`{name}` in the file"]
    if name not in NO_FLAG:
        spellings.insert(0, f"`--no-{flag(name)[2:]}`" if field.default is True else f"`{flag(name)}`")
    facts = [_kind(field.annotation), *_bounds(field)]
    return f"""\
## {name}

{field.description}

- {", ".join(spellings)}
- {", ".join(facts)}
- Default: {default(field)}. Reason: {extra(field, "reason")}.
"""


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return "tables" if item is IceServer else f"list ({_kind(item)})"
    if Path in (kind, *get_args(kind)):
        return "path"
    plain = next((item for item in get_args(kind) if item is not type(None)), kind)
    return {int: "whole number", float: "number", bool: "`true` or `false`"}.get(plain, "text")


def _bounds(field: FieldInfo) -> list[str]:
    bounds = {
        name: value
        for constraint in field.metadata
        for name in ("ge", "gt", "le", "max_length")
        if (value := getattr(constraint, name, None)) is not None
    }
    unit = extra(field, "unit")
    after = f" {unit}" if unit else ""
    if "max_length" in bounds:
        return [f"at most {bounds['max_length']} items"]
    if "ge" in bounds:
        return [f"{bounds['ge']} to {bounds['le']}{after}"]
    if "gt" in bounds:
        return [f"above {bounds['gt']}, at most {bounds['le']}{after}"]
    return []


if __name__ == "__main__":
    sys.stdout.write(document())
