"""Who may use the server."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, SecretStr, field_validator

from doppel.config.about import about
from doppel.config.user_path import UserPath
from doppel.config.words import Words, split
from signaling.auth import static_key
from signaling.auth.token import MAX_LIFETIME

ORIGIN = re.compile(r"https?://[^/\s?#@*]+")
"""A web origin (RFC 6454): scheme, host and port, no path."""


class Access(BaseModel):
    """Keys, tokens, whoever else is asked about them, and web origins."""

    access_key: SecretStr | None = Field(
        default=None,
        description="Secret that clients send as `Authorization: Bearer KEY`: 16 or more letters, digits and `._~+/-`. "
        "No flag, since other users of the machine can read a command line.",
        json_schema_extra=about(None, "not needed on loopback"),
    )
    access_key_file: UserPath = Field(
        default=None,
        description="File that holds the access key.",
        json_schema_extra=about(None, "not needed on loopback"),
    )
    keys_dir: UserPath = Field(
        default=None,
        description="Folder of keys: JSON Web Keys that tokens are signed with (`*.json`), and keys with scopes (`*.toml`). "
        "Read again when it changes.",
        json_schema_extra=about(None, "not needed on loopback"),
    )
    token_issuer: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The `iss` that every token must have. If not set, it is not looked at.",
        json_schema_extra=about(None, "the key already says who signed"),
    )
    token_audience: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The `aud` that every token must have. If not set, a token that has one is refused.",
        json_schema_extra=about(None, "for keys that sign for other services too"),
    )
    token_max_lifetime: float = Field(
        default=MAX_LIFETIME,
        gt=0,
        le=366 * 86_400,
        description="How long a token may be good for, from its `iat` to its `exp`; one that is longer is refused.",
        json_schema_extra=about("s", "a token that got lost is good for a week at most"),
    )
    auth_webhook: str | None = Field(
        default=None,
        max_length=2048,
        description="URL that is asked, by POST, about every token that no key here vouches for.",
        json_schema_extra=about(None, "nobody else has a say"),
    )
    audit_log: UserPath = Field(
        default=None,
        description="File that the audit log is appended to, a line of JSON for each decision. If not set, it is in the log.",
        json_schema_extra=about(None, "one place to look at; a file of its own is for those who must keep it"),
    )
    cors_origins: Words = Field(
        default=(),
        max_length=64,
        description="Web origins whose pages may call the API, such as `https://app.example`; `*` (any) needs keys.",
        json_schema_extra=about(None, "only the pages that this server serves"),
    )

    _split_origins = field_validator("cors_origins", mode="before")(split)

    @field_validator("access_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not static_key.SENT.fullmatch(value.get_secret_value()):
            raise ValueError("an access key is 16 to 256 letters, digits and ._~+/-; `openssl rand -hex 16` makes one")
        return value

    @field_validator("auth_webhook")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s#]*)?", value):
            raise ValueError("write an address such as https://auth.example/doppel, without a user name in it")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; write scheme and host without a path, such as https://app.example")
        return value

    @property
    def asks_for_keys(self) -> bool:
        """Whether clients need a key or a token."""
        return self.access_key is not None or self.keys_dir is not None or self.auth_webhook is not None
