"""Where a stream is pushed to: a URL whose last part is secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote_plus, urlsplit

from stream.rtmp.limits import NAME_LENGTH, SAID_LENGTH

PORTS = {"rtmp": 1935, "rtmps": 443}
"""By scheme."""

HIDDEN = "(key)"


@dataclass(frozen=True, slots=True)
class Target:
    """An RTMP server, and a stream on it. Its text has no key, and neither has anything else here but ``key`` itself."""

    secure: bool
    host: str
    port: int
    app: str
    """The path without its last part."""
    key: str = field(repr=False)
    """The last part and the query, as the server is told them."""

    @classmethod
    def parse(cls, url: str) -> Target:
        """rtmp[s]://host[:port]/app[/more]/key[?query]. Raises ValueError, in words that quote nothing of it."""
        if len(url) > NAME_LENGTH:
            raise ValueError(f"the URL to push to is longer than {NAME_LENGTH} characters")
        if not url.isprintable() or " " in url:
            raise ValueError("the URL to push to has a space or a character that cannot be seen; take it out")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("the URL to push to has a host or port that is none; write rtmp://host/app/key") from None
        return cls._of(parts, port)

    @classmethod
    def _of(cls, parts: SplitResult, port: int | None) -> Target:
        if parts.scheme not in PORTS:
            raise ValueError("the URL to push to begins with rtmp:// or rtmps://")
        if parts.username is not None:
            raise ValueError("the URL to push to has a user's name before its host, which RTMP does not have")
        if parts.fragment:
            raise ValueError("the URL to push to has a #, which ends a URL; write it as %23")
        host = parts.hostname or ""
        try:
            named = bool(host.encode("idna"))
        except UnicodeError:
            named = False
        app, _, name = parts.path.strip("/").rpartition("/")
        if not named or not app or not name or port == 0:
            raise ValueError("the URL to push to lacks its host, app or key; write rtmp://host/app/key")
        return cls(parts.scheme == "rtmps", host, port or PORTS[parts.scheme], app, name + (parts.query and "?" + parts.query))

    @property
    def url(self) -> str:
        """Without the key: what connect calls tcUrl."""
        scheme = "rtmps" if self.secure else "rtmp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}{'' if self.port == PORTS[scheme] else f':{self.port}'}/{self.app}"

    def __str__(self) -> str:
        return f"{self.url}/{HIDDEN}"

    def conceal(self, text: str) -> str:
        """What a server or a library said, on one line and without anything of the key, which servers like to quote."""
        name, _, query = self.key.partition("?")
        secrets = {self.key, name, query, *(part.partition("=")[2] for part in query.split("&"))}
        secrets |= {unquote_plus(secret) for secret in secrets}
        pattern = "|".join(re.escape(secret) for secret in sorted(secrets - {""}, key=len, reverse=True))
        line = "".join(character if character.isprintable() else " " for character in text)
        # The key may be long, and what is cut off must not leave a part of it.
        return re.sub(pattern, HIDDEN, line, flags=re.IGNORECASE)[:SAID_LENGTH]
