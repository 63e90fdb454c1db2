"""Model weights: where they lie, and what may come with them."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, field_validator

from doppel.config.about import about
from doppel.config.user_path import UserPath
from doppel.config.words import Words, split

CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""A class of a Python module, as model packages name it."""


class Models(BaseModel):
    """Folder, fetching, and code that packages may name."""

    models_dir: UserPath = Field(
        default=None,
        description="Folder of verified model weights. If not set, `doppel/models` in the user's cache.",
        json_schema_extra=about(None, "shared by every checkout of the same user"),
    )
    fetch_models: bool = Field(
        default=True,
        description="Whether a model that the folder lacks may be fetched; it is checked against its SHA-256 either way.",
        json_schema_extra=about(None, "the first start works by itself; switch it off where nothing may leave the network"),
    )
    torch_modules: Words = Field(
        default=(),
        max_length=64,
        description="Classes that model packages of safetensors may name, such as `our_lab.nets:Swapper`. "
        "Their code runs in this process with all its rights.",
        json_schema_extra=about(None, "a package is data, and brings no code unless somebody trusts it by name"),
    )

    _split_classes = field_validator("torch_modules", mode="before")(split)

    @field_validator("torch_modules")
    @classmethod
    def _are_classes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if not CLASS.fullmatch(word):
                raise ValueError(f"{word!r} names no class; write package.module:Class")
        return value
