"""Who somebody is, once that is known, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from signaling.auth import pattern
from signaling.auth.need import Need, Scope

MAX_STREAMS = 32
"""Patterns of one key or token: more are said with a star."""

Scopes = Annotated[frozenset[Scope], Field(min_length=1)]
Patterns = Annotated[tuple[Annotated[str, AfterValidator(pattern.check)], ...], Field(max_length=MAX_STREAMS)]


@dataclass(frozen=True, slots=True)
class Principal:
    """Lives as long as the call, or the session, that it was made for."""

    identity: str | None
    """The same for each of one publisher's tokens, renewed ones too, and nobody else's: who first published a stream may take
    it over. None where nobody is asked who they are.
    """
    subject: str | None
    """Its name, for people."""
    key: str | None
    """The id of the key that vouches for it; None where no key does."""
    scopes: frozenset[Scope]
    streams: tuple[str, ...]

    @property
    def takes_over(self) -> bool:
        """Whether it may publish where somebody else does."""
        return "admin" in self.scopes and self.key is not None

    def why_not(self, need: Need, stream: str | None) -> str | None:
        """The reason why it may not, for the audit log; None where it may."""
        if not self.scopes & (need.scopes | {"admin"}):
            return "the scopes are too narrow"
        match need.about:
            case "stream":
                right = stream is not None and self._has(stream)
            case "some":
                right = bool(self.streams)
            case "all":
                right = "*" in self.streams
        return None if right else "not for this stream" if need.about == "stream" else "not for every stream"

    def may(self, need: Need, stream: str | None) -> bool:
        return self.why_not(need, stream) is None

    def _has(self, stream: str) -> bool:
        return any(pattern.matches(each, stream) for each in self.streams)


def anybody(identity: str | None) -> Principal:
    """Whoever calls a server that asks for nothing."""
    return Principal(identity, None, None, frozenset({"admin"}), ("*",))
