"""STUN and TURN servers as they are told, with credentials that do not last (draft-uberti-behave-turn-rest-00, section 2.2).

The TURN server and this one share a secret and nothing else: coturn's ``use-auth-secret`` and ``static-auth-secret``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

SUBJECT_BYTES = 6
"""Of randomness in who a credential is for: the TURN server's log tells them apart, and learns nothing of them."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """One address of a STUN or TURN server."""

    url: str
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    @property
    def relays(self) -> bool:
        """Whether it is a TURN server, which takes credentials."""
        return self.url.startswith(("turn:", "turns:"))


class TurnSecret:
    """Makes credentials that the TURN server takes until they expire."""

    def __init__(self, secret: str, ttl: int, clock: Callable[[], float] = time.time) -> None:
        """``ttl``: seconds; ``clock``: seconds since 1970, as the TURN server's clock must tell too."""
        self._secret = secret.encode()
        self._ttl = ttl
        self._clock = clock

    def credentials(self, subject: str | None = None) -> tuple[str, str]:
        """Username and password, for ``subject`` or for nobody in particular."""
        username = f"{int(self._clock()) + self._ttl}:{subject or secrets.token_hex(SUBJECT_BYTES)}"
        # SHA-1 is what the scheme says; as an HMAC it is not broken.
        return username, base64.b64encode(hmac.digest(self._secret, username.encode(), hashlib.sha1)).decode()


class IceServers:
    """Goes through the servers; those of TURN without credentials of their own have new ones each time."""

    def __init__(self, servers: Sequence[IceServer], secret: TurnSecret | None = None) -> None:
        self._servers = servers
        self._secret = secret

    def __iter__(self) -> Iterator[IceServer]:
        for server in self._servers:
            if server.relays and server.credential is None and self._secret is not None:
                username, credential = self._secret.credentials()
                yield replace(server, username=username, credential=credential)
            else:
                yield server
