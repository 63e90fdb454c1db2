"""Where streams run, and how many."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, field_validator

from doppel.config.about import about


class Streams(BaseModel):
    """What a stream runs on, and how many there may be of it and its viewers."""

    device: str = Field(
        default="auto",
        description="Where transforms run: `auto`, `cpu`, `cuda` or `cuda:N`. `auto` takes CUDA if there is any.",
        json_schema_extra=about(None, "the fastest there is"),
    )
    max_streams: int = Field(
        default=16,
        ge=1,
        le=4096,
        description="Streams at once; one more is refused.",
        json_schema_extra=about("streams", "refusing one beats slowing all; set it to what your machine carries"),
    )
    max_viewers: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="The most viewers of one stream at once; one more is refused.",
        json_schema_extra=about(None, "about a core for all of them at 2 Mb/s"),
    )
    max_renditions: int = Field(
        default=2,
        ge=1,
        le=4,
        description="The most encodes of one stream for its viewers: one a codec that they need, and a small one for slow lines. "
        "Recordings and pushes share one more.",
        json_schema_extra=about(None, "an encode is the dearest thing a stream does"),
    )
    publisher_timeout: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="How long viewers are kept while their publisher is away.",
        json_schema_extra=about("s", "an encoder that is restarted, a phone between two networks"),
    )
    allow_listening: bool = Field(
        default=False,
        description="Whether the chain of one stream may listen to another, by its name, so that a mouth moves by that one's "
        "sound, and viewers hear it.",
        json_schema_extra=about(None, "whoever may set one stream's chain would hear streams that they may not watch"),
    )

    @field_validator("device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?", value):
            raise ValueError("write auto, cpu, cuda or cuda:N")
        return value
