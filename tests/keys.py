"""Keys and tokens for tests: who may do what, made in a line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from signaling.auth import key, keyring, static_key, token
from signaling.auth.authority import Authority
from signaling.auth.key import Algorithm, TokenKey
from signaling.auth.keyring import KeyRing
from signaling.auth.need import Scope
from signaling.auth.principal import Principal, anybody
from signaling.rate import RateLimit

NOBODY = anybody(None)


def publisher(identity: str | None) -> Principal:
    """Somebody who may publish anything, and take over nobody's."""
    return Principal(identity, identity, None, frozenset({"publish"}), ("*",))


def authority(access_key: str | None = None) -> Authority:
    """Open without a key; with one, for any number of refusals."""
    if access_key is None:
        return Authority()
    return patient(KeyRing((static_key.make("access-key", SecretStr(access_key)),)))


def patient(ring: KeyRing, **fields: Any) -> Authority:
    """Refuses any number of times, and at once."""
    return Authority(ring, failures=RateLimit(10**9), refusal=0.0, **fields)


def token_key(id: str = "first", algorithm: Algorithm = "HS256") -> TokenKey:
    return key.read(key.generate(algorithm, id))


def ring(*keys: TokenKey, static: Sequence[static_key.StaticKey] = ()) -> KeyRing:
    made = KeyRing()
    made.keys = keyring.Keys(tuple(static), {each.id: each for each in keys})
    return made


def claims(scopes: Sequence[Scope] = ("publish",), streams: object = ("alice",), **others: Any) -> dict[str, Any]:
    """Of a good token; ``others`` replace or, where they are None, take away. A timedelta is from now."""
    now = int(time.time())
    made = {"sub": "alice", "scope": " ".join(scopes), "streams": streams, "iat": now, "exp": now + 86_400} | others
    return {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in made.items()
        if value is not None
    }


def sign(signer: TokenKey, *given: Any, **others: Any) -> str:
    return token.sign(signer, claims(*given, **others))


def write(folder: Path, name: str, text: str) -> Path:
    """A file of keys."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path
