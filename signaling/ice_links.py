"""STUN and TURN servers as HTTP tells of them: ``Link`` headers (RFC 9725 section 4.6, RFC 8288)."""

from __future__ import annotations


def link(url: str, username: str | None = None, credential: str | None = None) -> str:
    """One header's value. Credentials are left out of a STUN server's, which takes none."""
    words = [f"<{url}>", 'rel="ice-server"']
    if url.startswith(("turn:", "turns:")):
        if username is not None:
            words.append(f"username={_quoted(username)}")
        if credential is not None:
            words += [f"credential={_quoted(credential)}", 'credential-type="password"']
    return "; ".join(words)


def _quoted(text: str) -> str:
    """RFC 9110 section 5.6.4. Raises ValueError for what cannot stand in a header."""
    if not text.isprintable():
        raise ValueError("a STUN or TURN server's username or credential has characters that no header can carry")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
