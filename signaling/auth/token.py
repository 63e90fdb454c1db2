"""Tokens: JSON Web Tokens (RFC 7519), signed by a key that their ``kid`` names, read as RFC 8725 advises."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import jwt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from signaling.auth.key import BadKey, TokenKey
from signaling.auth.principal import Patterns, Principal, Scopes

LEEWAY = 30.0
"""s that two machines' clocks may differ by."""

MAX_LIFETIME = 7 * 86_400.0
"""s from a token's issue to its end: an encoder that is set up once a week."""

MAX_LENGTH = 4096
"""Characters of a token: those made here have 300, and a header line has at most 8 KB."""

_SIGNED = (
    jwt.InvalidSignatureError,
    jwt.ExpiredSignatureError,
    jwt.ImmatureSignatureError,
    jwt.InvalidIssuedAtError,
    jwt.MissingRequiredClaimError,
    jwt.InvalidAudienceError,
    jwt.InvalidIssuerError,
)
"""Refusals that come after the signature was looked at."""

_REASONS: Mapping[type[Exception], str] = {
    jwt.InvalidSignatureError: "the signature is wrong",
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.MissingRequiredClaimError: "a claim is missing",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is another issuer's",
}


class Wrong(Exception):
    """A token that is not good; the message is for the audit log, and no client."""


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


class _Claims(BaseModel):
    """Other claims are the issuer's own business."""

    model_config = ConfigDict(extra="ignore")

    sub: Annotated[str, Field(min_length=1, max_length=256)]
    exp: Annotated[float, Field(gt=0, lt=1e11, allow_inf_nan=False)]
    iat: Annotated[float, Field(gt=0, lt=1e11, allow_inf_nan=False)]
    scope: Annotated[Scopes, BeforeValidator(_words)]
    streams: Annotated[Patterns, BeforeValidator(_words)] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of every token."""

    issuer: str | None = None
    audience: str | None = None
    max_lifetime: float = MAX_LIFETIME
    """s"""


def read(token: str, keys: Mapping[str, TokenKey], rules: Rules) -> Principal:
    """Whose token this is. Checks one signature, whatever is wrong with the token. Raises Wrong."""
    try:
        chosen = _choose(token, keys)
    except Wrong:
        _decoy(keys)
        raise
    try:
        claims = jwt.decode(
            token,
            chosen.verifying,
            algorithms=[chosen.algorithm],
            issuer=rules.issuer,
            audience=rules.audience,
            leeway=LEEWAY,
            options={"require": ["exp", "iat", "sub", "scope"], "enforce_minimum_key_length": True},
        )
        read = _Claims.model_validate(claims)
    except ValidationError as error:
        raise Wrong(f"its claim {error.errors()[0]['loc'][0]} is not as it must be") from None
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
        if not isinstance(error, _SIGNED):
            _decoy(keys)
        raise Wrong(_REASONS.get(type(error), "it is no token")) from None
    if read.exp - read.iat > rules.max_lifetime:
        raise Wrong("it lives longer than token_max_lifetime")
    return Principal(f"sub:{read.sub}", read.sub, chosen.id, read.scope, read.streams)


def sign(key: TokenKey, claims: Mapping[str, Any]) -> str:
    """Raises BadKey where the key can only read."""
    if key.signing is None:
        raise BadKey(f"key {key.id} is public: it can read tokens and sign none; sign with the file that has its d")
    return jwt.encode(dict(claims), key.signing, algorithm=key.algorithm, headers={"kid": key.id})


def _choose(token: str, keys: Mapping[str, TokenKey]) -> TokenKey:
    """The key that the token's header names; its algorithm is the key's own, or it is not looked at."""
    if len(token) > MAX_LENGTH or token.count(".") != 2 or not token.isascii():
        raise Wrong("it is no token")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise Wrong("it is no token") from None
    kid = header.get("kid")
    chosen = keys.get(kid) if isinstance(kid, str) else None
    if chosen is None:
        raise Wrong("its key is not known")
    if header.get("alg") != chosen.algorithm:
        raise Wrong("its algorithm is not its key's")
    return chosen


def _decoy(keys: Mapping[str, TokenKey]) -> None:
    """As much work as a token with a wrong signature makes, so that the time of a refusal tells nothing."""
    key = next(iter(keys.values()), None)
    if key is None:
        return
    head = jwt.utils.base64url_encode(json.dumps({"alg": key.algorithm, "kid": key.id}).encode()).decode()
    # Ed25519's second half is a number below the group's order, or nothing is calculated at all (RFC 8032 section 5.1.7).
    wrong = jwt.utils.base64url_encode(hashlib.sha512(b"nobody").digest()[: _SIGNATURE[key.algorithm] - 1] + b"\0").decode()
    try:
        jwt.decode(f"{head}.e30.{wrong}", key.verifying, algorithms=[key.algorithm])
    except jwt.InvalidTokenError:
        return
    raise AssertionError("nobody signed this")


_SIGNATURE = {"HS256": 32, "EdDSA": 64}
"""Bytes."""
