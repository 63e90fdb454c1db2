"""Keys that tokens are signed with, as JSON Web Keys (RFC 7517; RFC 8037 for Ed25519)."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Algorithm = Literal["HS256", "EdDSA"]

SECRET = 32
"""Bytes of an HS256 secret, at least: as many as its hash has (RFC 7518 section 3.2)."""

MAX_SECRET = 1024
"""Bytes of an HS256 secret, at most."""

KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Safe in a log line and a file name."""


class BadKey(ValueError):
    """A key, or a file of keys, that cannot be used; the message says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key for tokens, which is good for one algorithm and no other (RFC 8725 section 3.1)."""

    id: str
    algorithm: Algorithm
    verifying: bytes | Ed25519PublicKey = field(repr=False)
    signing: bytes | Ed25519PrivateKey | None = field(repr=False)
    """None where others sign, and this server only reads."""


def generate(algorithm: Algorithm, id: str) -> dict[str, str]:
    """A new key, with its secret part."""
    if not KEY_ID.fullmatch(id):
        raise BadKey("a key's id has 1 to 64 letters, digits and ._-")
    if algorithm == "HS256":
        return {"kty": "oct", "kid": id, "alg": "HS256", "k": _written(secrets.token_bytes(SECRET))}
    private = Ed25519PrivateKey.generate()
    x, d = private.public_key().public_bytes_raw(), private.private_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA", "x": _written(x), "d": _written(d)}


def public(document: Mapping[str, str]) -> dict[str, str]:
    """What of a key others may have. Raises BadKey for one that has no such part."""
    if document.get("kty") != "OKP":
        raise BadKey("an HS256 key is one secret, with no part that others may have; make an EdDSA key")
    return {name: value for name, value in document.items() if name != "d"}


def read(document: object) -> TokenKey:
    """A key as it is written. Raises BadKey."""
    if not isinstance(document, dict):
        raise BadKey("a key is a JSON object with kty, kid and alg")
    id, algorithm, use = document.get("kid"), document.get("alg"), document.get("use", "sig")
    if not isinstance(id, str) or not KEY_ID.fullmatch(id):
        raise BadKey("a key needs a kid of 1 to 64 letters, digits and ._-, which its tokens name")
    if use != "sig":
        raise BadKey(f"key {id} is not for signatures (its use is not sig)")
    match document.get("kty"), algorithm:
        case "oct", "HS256":
            secret = _bytes(document, "k", id)
            if not SECRET <= len(secret) <= MAX_SECRET:
                raise BadKey(f"key {id} needs a secret of {SECRET} to {MAX_SECRET} bytes; doppel token keygen makes one")
            return TokenKey(id, "HS256", secret, secret)
        case "OKP", "EdDSA":
            return _read_ed25519(document, id)
    raise BadKey(f"key {id} must have kty oct and alg HS256, or kty OKP and alg EdDSA")


def _read_ed25519(document: dict[str, Any], id: str) -> TokenKey:
    if document.get("crv") != "Ed25519":
        raise BadKey(f"key {id} must be on the curve Ed25519")
    try:
        verifying = Ed25519PublicKey.from_public_bytes(_bytes(document, "x", id))
        signing = Ed25519PrivateKey.from_private_bytes(_bytes(document, "d", id)) if "d" in document else None
    except ValueError as error:
        raise BadKey(f"key {id} has an x or d that is none of Ed25519's: 32 bytes each") from error
    if signing is not None and signing.public_key().public_bytes_raw() != verifying.public_bytes_raw():
        raise BadKey(f"key {id} has an x and a d that do not belong together")
    return TokenKey(id, "EdDSA", verifying, signing)


def _bytes(document: dict[str, Any], name: str, id: str) -> bytes:
    value = document.get(name)
    if not isinstance(value, str):
        raise BadKey(f"key {id} lacks {name}")
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError as error:  # binascii.Error, or letters beyond ASCII
        raise BadKey(f"key {id} has a {name} that is no base64url") from error


def _written(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
