"""``doppel transforms``: what there is, with its settings."""

from __future__ import annotations

import sys
from typing import Any

from transforms.errors import BrokenTransform
from transforms.registry import keys, load


def show() -> int:
    """Lists every transform; 1 where one is broken."""
    status = 0
    for key in keys():
        try:
            kind = load(key)
        except BrokenTransform as error:
            print(f"doppel: {error}", file=sys.stderr)
            status = 1
            continue
        print(f"{key}: {kind.summary}")
        schema = kind.settings_type.model_json_schema()
        for name, setting in schema.get("properties", {}).items():
            print(f"    {name} ({', '.join(_facts(setting, schema))}): {setting.get('description') or setting.get('title', '')}")
    return status


def _facts(setting: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    if reference := setting.get("$ref"):
        setting = schema["$defs"][reference.rsplit("/", 1)[-1]] | setting
    facts = [" | ".join(map(str, setting["enum"])) if "enum" in setting else str(setting.get("type", "value"))]
    if "minimum" in setting or "maximum" in setting:
        facts.append(f"{setting.get('minimum', '')} to {setting.get('maximum', '')}".strip())
    if unit := setting.get("unit"):
        facts.append(str(unit))
    if "default" in setting:
        facts.append(f"default {setting['default']}")
    return facts
