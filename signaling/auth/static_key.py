"""Keys that are sent as they are, for a quick start: no signature, and no end unless they name one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from signaling.auth.key import KEY_ID, BadKey
from signaling.auth.principal import Patterns, Principal, Scopes

SENT = re.compile(r"[A-Za-z0-9._~+/-]{16,256}=*")
"""What fits an Authorization: Bearer header (RFC 6750 section 2.1); 16 characters cannot be guessed over a network."""


@dataclass(frozen=True, slots=True)
class StaticKey:
    principal: Principal
    digest: bytes = field(repr=False)
    """SHA-256 of what is sent: long random words need no slower hash."""
    expires: float | None = None
    """Unix time, s."""
    secret: SecretStr | None = None
    """As it is sent, where the file has it so; for the log, which blots it out."""


def digest(credential: str) -> bytes:
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()


def make(name: str, secret: SecretStr, principal: Principal | None = None) -> StaticKey:
    """A key of that name; without a principal, one that may do everything."""
    holder = principal or Principal(f"key:{name}", name, name, frozenset({"admin"}), ("*",))
    return StaticKey(holder, digest(secret.get_secret_value()), None, secret)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=f"^{KEY_ID.pattern}$")]
    key: SecretStr | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    scopes: Scopes
    streams: Patterns
    expires: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> _Entry:
        if (self.key is None) == (self.sha256 is None):
            raise ValueError("give either key, or sha256, the hash of one")
        if self.key is not None and not SENT.fullmatch(self.key.get_secret_value()):
            raise ValueError("a key is 16 to 256 letters, digits and ._~+/-; openssl rand -hex 16 makes one")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: list[_Entry]


def read(document: object) -> list[StaticKey]:
    """The ``[[keys]]`` of a file. Raises BadKey."""
    try:
        entries = _File.model_validate(document).keys
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadKey(f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}") from None
    return [_key(entry) for entry in entries]


def _key(entry: _Entry) -> StaticKey:
    principal = Principal(f"key:{entry.name}", entry.name, entry.name, entry.scopes, entry.streams)
    expires = entry.expires.timestamp() if isinstance(entry.expires, datetime) else None
    if entry.key is not None:
        return StaticKey(principal, digest(entry.key.get_secret_value()), expires, entry.key)
    assert entry.sha256 is not None
    return StaticKey(principal, bytes.fromhex(entry.sha256), expires)
