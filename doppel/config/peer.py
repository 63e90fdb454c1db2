"""What one peer may send and is sent, and how long it is waited for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from doppel.config.about import about
from doppel.config.words import split


class Peer(BaseModel):
    """Bounds of one peer's pictures, bits and silences."""

    max_bitrate: int = Field(
        default=4_000_000,
        ge=150_000,
        le=100_000_000,
        description="The most that one stream is encoded at.",
        json_schema_extra=about("b/s", "720p of a face gains nothing visible beyond"),
    )
    start_bitrate: int = Field(
        default=1_500_000,
        ge=150_000,
        le=100_000_000,
        description="What a stream is encoded at until its receiver tells what its line carries.",
        json_schema_extra=about("b/s", "a clean 720p face, and most lines carry it"),
    )
    max_pixels: int = Field(
        default=1920 * 1088,
        ge=16 * 16,
        le=7680 * 4320,
        description="The largest picture that is decoded, width x height.",
        json_schema_extra=about("px", "full HD, rounded up to H.264's macroblocks"),
    )
    max_fps: int = Field(
        default=60,
        ge=1,
        le=240,
        description="The most frames that one stream sends in a second; more are dropped.",
        json_schema_extra=about("1/s", "what screens show"),
    )
    connect_timeout: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="How long a peer that was given an answer may take to connect.",
        json_schema_extra=about("s", "ICE and DTLS take under a second where they work at all"),
    )
    silence_timeout: float = Field(
        default=8.0,
        gt=0,
        le=120,
        description="How long a peer may send no datagram at all before it is gone.",
        json_schema_extra=about("s", "browsers check consent about every 5 s (RFC 7675)"),
    )
    shutdown_timeout: float = Field(
        default=5.0,
        gt=0,
        le=120,
        description="How long a shutdown may take before what is left is abandoned.",
        json_schema_extra=about("s", "half of what container runtimes grant before they kill"),
    )
    codecs: Annotated[tuple[Literal["H264", "VP8"], ...], NoDecode] = Field(
        default=("H264", "VP8"),
        description="Video codecs to negotiate, the preferred one first.",
        json_schema_extra=about(None, "H.264 takes the least CPU at the latency and picture asked of it"),
    )

    _split_codecs = field_validator("codecs", mode="before")(split)

    @field_validator("codecs")
    @classmethod
    def _differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("name at least one codec, and each once")
        return value
