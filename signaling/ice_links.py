"""STUN and TURN servers as HTTP tells of them: ``Link`` headers (RFC 9725 section 4.6, RFC 8288)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from signaling.turn import IceServer


class IceLinks:
    """The values of the headers, made each time that somebody goes through them, as credentials do not last."""

    def __init__(self, servers: Iterable[IceServer]) -> None:
        self._servers = servers

    def __iter__(self) -> Iterator[str]:
        return (link(server) for server in self._servers)


def link(server: IceServer) -> str:
    """One header's value. Credentials are left out of a STUN server's, which takes none."""
    words = [f"<{server.url}>", 'rel="ice-server"']
    if server.relays:
        if server.username is not None:
            words.append(f"username={_quoted(server.username)}")
        if server.credential is not None:
            words += [f"credential={_quoted(server.credential)}", 'credential-type="password"']
    return "; ".join(words)


def _quoted(text: str) -> str:
    """RFC 9110 section 5.6.4. Raises ValueError for what cannot stand in a header."""
    if not text.isprintable():
        raise ValueError("a STUN or TURN server's username or credential has characters that no header can carry")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
