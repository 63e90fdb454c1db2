"""``doppel token``: makes tokens, and the keys that they are signed with."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from doppel.config import Config, ConfigError
from signaling.auth import key, keyring, pattern, token
from signaling.auth.key import Algorithm, BadKey, TokenKey
from signaling.auth.keyring import KeyRing
from signaling.auth.need import Scope

ANYWHERE: frozenset[Scope] = frozenset({"admin", "metrics"})
"""Scopes that are about the whole server, unless a stream is named."""


def make(
    config: Config, scopes: Sequence[Scope], streams: Sequence[str], ttl: int, subject: str | None, file: Path | None
) -> int:
    """Prints a token. Raises ConfigError."""
    if not streams:
        if not ANYWHERE.issuperset(scopes):
            raise ConfigError("name the streams that it is for: --stream NAME, with * for any characters: --stream 'team-*'")
        streams = ("*",)
    if ttl > config.token_max_lifetime:
        raise ConfigError(
            f"--ttl: the server takes no token that is good for longer than {config.token_max_lifetime:g} s (token_max_lifetime)"
        )
    now = int(time.time())
    claims: dict[str, object] = {
        # Without a name, whoever has a token for these streams counts as the same: a renewed one keeps its stream.
        "sub": subject or ",".join(streams),
        "scope": " ".join(scopes),
        "streams": list(streams),
        "iat": now,
        "exp": now + ttl,
    }
    claims |= {"iss": config.token_issuer} if config.token_issuer else {}
    claims |= {"aud": config.token_audience} if config.token_audience else {}
    try:
        for each in streams:
            pattern.check(each)
        print(token.sign(_signing(config, file), claims))
    except (BadKey, ValueError) as error:
        raise ConfigError(str(error)) from error
    return 0


def keygen(file: Path, algorithm: Algorithm, id: str | None, public: Path | None) -> int:
    """Writes a new key, for its owner's eyes only, and its public part beside it if asked to. Raises ConfigError."""
    try:
        made = key.generate(algorithm, id or file.stem)
        others = None if public is None else key.public(made)
    except BadKey as error:
        raise ConfigError(f"{error}; name one with --kid") from error
    _write(file, made, 0o600)
    if public is not None and others is not None:
        _write(public, others, 0o644)
    print(f"{algorithm} key {made['kid']!r} is in {file}", file=sys.stderr)
    return 0


def _signing(config: Config, file: Path | None) -> TokenKey:
    """The one key that can sign. Raises BadKey."""
    if file is not None:
        tokens = keyring.read(file).tokens
    elif config.keys_dir is not None:
        tokens = KeyRing((), config.keys_dir).keys.tokens
    else:
        raise BadKey("name the key to sign with: --key FILE, or --keys-dir DIR; doppel token keygen FILE makes one")
    able = [each for each in tokens.values() if each.signing is not None]
    if len(able) != 1:
        several = ", ".join(each.id for each in able)
        raise BadKey(
            f"there are several keys to sign with ({several}); name one's file: --key FILE"
            if able
            else f"{file or config.keys_dir} has no key that can sign; doppel token keygen FILE makes one"
        )
    return able[0]


def _write(file: Path, document: dict[str, str], mode: int) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigError(f"{file} is there already, and tokens may need it; choose another name") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as opened:
        opened.write(json.dumps(document, indent=1) + "\n")
