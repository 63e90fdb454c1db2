"""STUN and TURN servers."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from doppel.config.about import about
from doppel.config.user_path import UserPath


class IceServer(BaseModel):
    """A STUN or TURN server, with the names of the WebRTC API's RTCIceServer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: str
    username: str | None = None
    credential: SecretStr | None = None

    @field_validator("urls")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not re.fullmatch(r"(stuns?|turns?):\S+", value):
            raise ValueError("write an address such as stun:stun.example:3478 or turn:turn.example:3478?transport=udp")
        return value


class Turn(BaseModel):
    """Servers that help peers to reach each other, and what they ask for."""

    ice_servers: tuple[IceServer, ...] = Field(
        default=(),
        max_length=8,
        description="STUN and TURN servers that clients are told of: `urls`, and for TURN `username` and `credential`, or "
        "`turn_secret` for all of them. The server itself asks those of STUN, and with `turn_for_server` those of TURN. "
        "None is contacted unless named.",
        json_schema_extra=about(None, "no third party learns who connects"),
    )
    turn_secret: SecretStr | None = Field(
        default=None,
        description="Secret that this server shares with its TURN servers (coturn: `use-auth-secret`, `static-auth-secret`). "
        "Each client gets credentials made of it, which last for `turn_ttl`.",
        json_schema_extra=about(None, "not needed without a TURN server"),
    )
    turn_secret_file: UserPath = Field(
        default=None,
        description="File that holds the TURN servers' secret.",
        json_schema_extra=about(None, "as above"),
    )
    turn_ttl: int = Field(
        default=86_400,
        ge=60,
        le=30 * 86_400,
        description="How long credentials for TURN last. A connection through TURN ends with them.",
        json_schema_extra=about("s", "longer than most streams, and of little worth to whoever finds them"),
    )
    turn_for_server: bool = Field(
        default=False,
        description="Whether this server takes an address of the first TURN server's for each peer, beside its own.",
        json_schema_extra=about(None, "needed only where no UDP comes in from outside at all"),
    )

    @field_validator("turn_secret")
    @classmethod
    def _is_no_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not 16 <= len(value.get_secret_value()) <= 256:
            raise ValueError("a TURN secret is 16 to 256 characters; `openssl rand -hex 32` makes one")
        return value
