"""What a call asks of whoever makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["publish", "watch", "control", "admin", "metrics"]
"""What somebody may do: send a stream; see one and read its figures; change and record a running one; all of these; read the
server's metrics.
"""

SCOPES: tuple[Scope, ...] = get_args(Scope)

About = Literal["stream", "some", "all"]
"""What a call is about: one stream, by its name; none in particular, so that a right to any will do; or the whole server, which
takes a right to every stream.
"""


@dataclass(frozen=True, slots=True)
class Need:
    """One of these scopes, or admin."""

    action: Scope
    """What it is called where one word must do: in the audit log, and to the webhook."""
    scopes: frozenset[Scope]
    about: About = "stream"


PUBLISH = Need("publish", frozenset({"publish"}))
WATCH = Need("watch", frozenset({"watch"}))
CONTROL = Need("control", frozenset({"control"}))
READ = Need("watch", frozenset({"watch", "publish", "control"}))
"""How a stream is doing: who sends one needs to see that as well."""
SETTINGS = Need("control", frozenset({"publish", "control"}))
"""What a stream's transforms are told: pictures of people may be in it, which are not its viewers' business."""
KNOWN = Need("watch", frozenset({"watch", "publish", "control"}), "some")
"""What is no secret to anybody who was given a right."""
METRICS = Need("metrics", frozenset({"metrics"}), "all")
ADMIN = Need("admin", frozenset({"admin"}), "all")
