"""Where clients knock: HTTP and RTMP, both with TLS or without."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, Field, field_validator

from doppel.config.about import about
from doppel.config.user_path import UserPath
from doppel.config.words import Words, split


class Door(BaseModel):
    """Addresses, ports and certificates."""

    host: str = Field(
        default="127.0.0.1",
        description="Address that the HTTP server binds to. Anything but loopback needs keys.",
        json_schema_extra=about(None, "nobody but this machine until somebody decides otherwise"),
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="TCP port of the HTTP server; 0 takes a free one.",
        json_schema_extra=about(None, "the usual port for HTTP without privileges"),
    )
    rtmp_port: int = Field(
        default=1935,
        ge=0,
        le=65535,
        description="TCP port for RTMP publishers; 0 takes a free one. If the default is taken, there is a warning and no RTMP.",
        json_schema_extra=about(None, "RTMP's registered port"),
    )
    rtmp: bool = Field(
        default=True,
        description="Whether publishers may come by RTMP.",
        json_schema_extra=about(None, "OBS and ffmpeg work without being told of WHIP"),
    )
    rtmps_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="TCP port for RTMP over TLS; 0 takes a free one. Needs `tls_certificate` and `tls_key`.",
        json_schema_extra=about(None, "it needs a certificate"),
    )
    tls_certificate: UserPath = Field(
        default=None,
        description="PEM file with the certificate chain for HTTPS and RTMPS. Read again when it changes.",
        json_schema_extra=about(None, "nobody else can make one for your name"),
    )
    tls_key: UserPath = Field(
        default=None,
        description="PEM file with the certificate's private key.",
        json_schema_extra=about(None, "as above"),
    )
    https: bool = Field(
        default=False,
        description="Whether `port` speaks HTTPS. Needs `tls_certificate` and `tls_key`.",
        json_schema_extra=about(None, "it needs a certificate; a proxy in front may have it instead"),
    )
    hsts: int = Field(
        default=0,
        ge=0,
        le=63_072_000,
        description="How long browsers are told to come by HTTPS alone (Strict-Transport-Security); 0 does not tell them.",
        json_schema_extra=about("s", "it cannot be taken back: set it, to a year, once the certificate renews itself"),
    )
    trusted_proxies: Words = Field(
        default=(),
        max_length=32,
        description="Addresses or networks of reverse proxies, such as `10.0.0.0/8`: their `X-Forwarded-For` says who calls.",
        json_schema_extra=about(None, "anybody can send that header; only your own proxy is to be believed"),
    )

    _split_proxies = field_validator("trusted_proxies", mode="before")(split)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                ipaddress.ip_network(word)
            except ValueError:
                raise ValueError(f"{word!r} is no IP address or network; write one such as 10.0.0.7 or 10.0.0.0/8") from None
        return value
