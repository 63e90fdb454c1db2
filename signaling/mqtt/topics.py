"""Where at the broker a node's things are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from signaling import names

MAX_LENGTH = 64
"""Characters of a prefix or a node's name."""

PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,7}")
"""Levels without wildcards, and none that starts with ``$``, which are the broker's own."""

NODE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH}}}")
"""As Home Assistant wants identifiers."""


def sanitized(host: str) -> str:
    """A node's name made of a host's: ``edge-1.example`` is ``edge-1``."""
    word = re.sub(r"[^A-Za-z0-9_-]+", "-", host.partition(".")[0]).strip("-")
    return word[:MAX_LENGTH] or "node"


@dataclass(frozen=True, slots=True)
class Topics:
    """Of one node, below ``{prefix}/{node}``."""

    prefix: str
    node: str

    @property
    def root(self) -> str:
        return f"{self.prefix}/{self.node}"

    @property
    def status(self) -> str:
        return f"{self.root}/status"

    @property
    def replies(self) -> str:
        return f"{self.root}/replies"

    def of(self, stream: str, kind: str) -> str:
        """``kind``: state, stats, events or set."""
        return f"{self.root}/streams/{stream}/{kind}"

    def stream(self, topic: str, kind: str) -> str | None:
        """The stream whose topic of that kind this is; None where it is something else."""
        start, end = f"{self.root}/streams/", f"/{kind}"
        if not (topic.startswith(start) and topic.endswith(end)):
            return None
        name = topic[len(start) : -len(end)]
        return name if names.PATTERN.fullmatch(name) else None
