"""The server's certificate, which may be renewed while it runs."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from doppel.config import ConfigError

logger = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int, int], ...]
"""When each file's content was changed, and anything about it, such as who may read it; its size and its inode."""


class Certificate:
    """``context`` is for every port that speaks TLS. Whoever connects after a reload gets the new certificate."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Reads the files. Raises ConfigError."""
        self._chain, self._key = chain, key
        self._stamp: Stamp | None = None
        try:
            self._stamp = self._look()
            self._current = self._load()
        except OSError as error:
            raise ConfigError(
                f"{chain} and {key} are no certificate and key that TLS can use "
                f"({error.strerror or error}); both are PEM files, and the key has no password"
            ) from error
        self.context = self._load()
        # Asked at the beginning of each handshake, with or without a name: contexts are exchanged whole, since one into which
        # half of a new pair was loaded would be of no use to anybody.
        self.context.sni_callback = self._choose

    def reload(self) -> bool:
        """Reads the files again if they have changed; whether there is a new certificate. Blocks."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self._current = self._load()
        except OSError as error:
            logger.error("the certificate stays as it is: %s and %s cannot be used (%s)", self._chain, self._key, error)
            return False
        logger.info("the certificate was renewed")
        return True

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        """``ssl.SSLError`` is an OSError."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._chain, self._key)
        return context

    def _look(self) -> Stamp:
        stats = [path.stat() for path in (self._chain, self._key)]
        return tuple((stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino) for stat in stats)
