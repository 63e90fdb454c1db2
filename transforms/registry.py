"""Which transforms there are: one module of ``transforms.library`` each, its name the key."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import transforms.library
from transforms.base import Settings, Transform
from transforms.errors import BrokenTransform, UnknownTransform

AnyTransform = Transform[Any]


def keys() -> list[str]:
    """The key of every transform, sorted; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(transforms.library.__path__))


def load(key: str) -> type[AnyTransform]:
    """The transform of that key, imported on first use.

    Raises UnknownTransform, or BrokenTransform with the cause.
    """
    if key not in keys():
        raise UnknownTransform(f"there is no transform {key!r}; there are: {', '.join(keys())}")
    name = f"{transforms.library.__name__}.{key}"
    try:
        module = importlib.import_module(name)
    except Exception as error:  # whatever a plugin does at import is the plugin's fault, and is told by name
        raise BrokenTransform(f"transform {key!r} cannot be imported: {type(error).__name__}: {error}") from error
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Transform) and value.__module__ == name and not inspect.isabstract(value)
    ]
    if len(found) != 1:
        raise BrokenTransform(f"{name} must define exactly one transform, and defines {len(found)}")
    transform: type[AnyTransform] = found[0]
    for attribute, kind in (("title", str), ("summary", str), ("settings_type", type)):
        if not isinstance(getattr(transform, attribute, None), kind):
            raise BrokenTransform(f"{name}.{transform.__name__} lacks {attribute!r}")
    if not issubclass(transform.settings_type, Settings):
        raise BrokenTransform(f"{name}.{transform.__name__}.settings_type is no transforms.base.Settings")
    return transform
