"""What streams are made of and made into, besides peers: files, URLs, recordings, pushes."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, field_validator

from doppel.config.about import about
from doppel.config.user_path import UserPath
from doppel.config.words import Words, split

HOST = re.compile(r"(\*\.)?[A-Za-z0-9._:-]+")
"""A host's name, of any subdomain with a leading ``*.``, or an IP address."""


class Media(BaseModel):
    """Where media may come from and go to."""

    steady_bitrate: int = Field(
        default=2_500_000,
        ge=150_000,
        le=100_000_000,
        description="What recordings and pushes are encoded at.",
        json_schema_extra=about("b/s", "720p as it is broadcast"),
    )
    recordings_dir: UserPath = Field(
        default=None,
        description="Folder for recordings. If not set, nothing is recorded.",
        json_schema_extra=about(None, "nobody's face is kept unless somebody decides so"),
    )
    push_hosts: Words = Field(
        default=(),
        max_length=64,
        description="Hosts that streams may be pushed to by RTMP, such as `a.rtmp.youtube.com`.",
        json_schema_extra=about(None, "a client cannot make the server connect anywhere"),
    )
    pull_hosts: Words = Field(
        default=(),
        max_length=64,
        description="Hosts that streams may be pulled from by URL (RTSP, SRT, HLS), such as `camera.example` or `*.example`.",
        json_schema_extra=about(None, "a client cannot make the server connect anywhere"),
    )
    media_dir: UserPath = Field(
        default=None,
        description="Folder whose files may be streams' sources. If not set, none may.",
        json_schema_extra=about(None, "a client cannot make the server read its disk"),
    )

    _split_hosts = field_validator("push_hosts", "pull_hosts", mode="before")(split)

    @field_validator("push_hosts", "pull_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not HOST.fullmatch(host):
                raise ValueError(f"{host!r} is no host; write a name or an IP address, without scheme, port or path")
        return tuple(host.lower() for host in value)
