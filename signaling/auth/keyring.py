"""All keys that are good now: read from a folder, and read again when its files change."""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from signaling.auth import key, static_key
from signaling.auth.key import BadKey, TokenKey
from signaling.auth.static_key import StaticKey

logger = logging.getLogger(__name__)

MAX_FILES = 64
MAX_BYTES = 64 * 1024
"""Of one file: a hundred keys."""
MAX_KEYS = 256
"""Of each kind: every static key is compared with whatever is sent."""

READABLE_BY_ALL = 0o004

Stamp = tuple[int, int, int, int]
"""Of a file: when its content was changed, when anything about it was, so that one that was made readable is read again, its
size, and its inode, which a file that was put in its place does not share.
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """Immutable: a decision is made with one of these from its beginning to its end."""

    static: Sequence[StaticKey] = ()
    tokens: Mapping[str, TokenKey] = field(default_factory=dict)
    """By their id."""


class KeyRing:
    """``keys`` may be read anywhere; ``reload`` blocks, and is called by one thread at a time."""

    def __init__(self, static: Iterable[StaticKey] = (), folder: Path | None = None) -> None:
        """Raises BadKey, naming the file."""
        self._static = tuple(static)
        self._folder = folder
        self._files: dict[Path, tuple[Stamp, Keys]] = {}
        self.keys = Keys(self._static)
        if folder is not None:
            self._files = {path: (stamp, read(path)) for path, stamp in _listed(folder).items()}
            self.keys = self._together(self._files)
            if not self._files:
                raise BadKey(f"{folder} has no keys in it: make one with `doppel token keygen {folder / 'first.json'}`")

    def reload(self) -> bool:
        """Reads what has changed; whether anything had. What cannot be read stays as it was, and is complained of once."""
        if self._folder is None:
            return False
        try:
            listed = _listed(self._folder)
        except BadKey as error:
            logger.error("the keys stay as they are: %s", error)
            return False
        if {path: stamp for path, (stamp, _) in self._files.items()} == listed:
            return False
        files: dict[Path, tuple[Stamp, Keys]] = {}
        for path, stamp in listed.items():
            before = self._files.get(path)
            if before is not None and before[0] == stamp:
                files[path] = before
                continue
            try:
                files[path] = (stamp, read(path))
            except BadKey as error:
                logger.error("the keys of this file stay as they are: %s", error)
                files[path] = (stamp, before[1] if before else Keys())
        self._files = files
        try:
            self.keys = self._together(files)
        except BadKey as error:
            logger.error("all keys stay as they are: %s", error)
            return False
        logger.info("the keys changed: %d static, %d for tokens", len(self.keys.static), len(self.keys.tokens))
        return True

    def _together(self, files: Mapping[Path, tuple[Stamp, Keys]]) -> Keys:
        static = [*self._static]
        tokens: dict[str, TokenKey] = {}
        for path, (_, keys) in files.items():
            static += keys.static
            if twice := tokens.keys() & keys.tokens.keys():
                raise BadKey(f"{path}: there is another key {min(twice)!r}; a kid names one key")
            tokens |= keys.tokens
        names = [each.principal.key for each in static]
        if twice := {str(name) for name in names if names.count(name) > 1}:
            raise BadKey(f"there are two static keys called {min(twice)!r}; a name is for one")
        if len(static) > MAX_KEYS or len(tokens) > MAX_KEYS:
            raise BadKey(f"there are more than {MAX_KEYS} keys; use tokens, which one key can sign any number of")
        return Keys(tuple(static), tokens)


def _listed(folder: Path) -> dict[Path, Stamp]:
    found: dict[Path, Stamp] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix in (".json", ".toml") and path.is_file():
                stat = path.stat()
                found[path] = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
    except OSError as error:
        raise BadKey(f"{folder} cannot be read: {error.strerror}") from error
    if len(found) > MAX_FILES:
        raise BadKey(f"{folder} has more than {MAX_FILES} files of keys; put several keys into one")
    return found


def read(path: Path) -> Keys:
    """``.json``: one JSON Web Key, or a set of them. ``.toml``: ``[[keys]]`` that are sent as they are. Raises BadKey."""
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        mode = path.stat().st_mode
    except OSError as error:
        raise BadKey(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise BadKey(f"{path} is longer than {MAX_BYTES // 1024} KB, and holds no keys")
    try:
        keys = _parse(path.suffix, data)
    except BadKey as error:
        raise BadKey(f"{path}: {error}") from error
    secret = any(each.signing is not None for each in keys.tokens.values()) or any(each.secret for each in keys.static)
    if secret and mode & READABLE_BY_ALL:
        logger.warning("every user of this machine can read the keys in %s; close it with: chmod o-r %s", path, path)
    return keys


def _parse(suffix: str, data: bytes) -> Keys:
    try:
        text = data.decode()
        document: object = tomllib.loads(text) if suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: a number of some thousand digits too
        raise BadKey(f"this is no {'TOML' if suffix == '.toml' else 'JSON'}") from error
    if suffix == ".toml":
        return Keys(static_key.read(document))
    several = document.get("keys") if isinstance(document, dict) and "keys" in document else [document]
    if not isinstance(several, list):
        raise BadKey("keys is a list of JSON Web Keys")
    found = [key.read(each) for each in several]
    tokens = {each.id: each for each in found}
    if len(tokens) < len(found):
        raise BadKey("two of its keys have the same kid")
    return Keys((), tokens)
