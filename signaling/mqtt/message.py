"""What goes to the broker, and what comes from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["state", "reply", "event", "stats"]


@dataclass(frozen=True, slots=True)
class Message:
    """To the broker. ``state`` is retained and ``stats`` may get lost (QoS 0); the others arrive at least once (QoS 1)."""

    kind: Kind
    topic: str
    payload: bytes
    """Of a state, empty: nothing is to be retained any more."""
    correlation: bytes | None = None
    """MQTT 5's correlation data, of a reply."""

    @property
    def retain(self) -> bool:
        return self.kind == "state"

    @property
    def qos(self) -> Literal[0, 1]:
        return 0 if self.kind == "stats" else 1


@dataclass(frozen=True, slots=True)
class Received:
    """From the broker."""

    topic: str
    payload: bytes
    retained: bool = False
    """Whether it was published to be kept, which a command must not be."""
    response_topic: str | None = None
    correlation: bytes | None = None


class LinkLost(Exception):
    """There is no connection to the broker, or not any more; the message says why, and holds no secret."""


class Link(Protocol):
    """One connection to the broker. All raise LinkLost."""

    async def publish(self, message: Message, /) -> None:
        """Returns when the broker has it. Messages leave in the order of the calls, which need not wait for each other."""

    async def subscribe(self, topic: str, *, kept: bool) -> None:
        """``kept``: what was retained before is wanted too."""

    async def unsubscribe(self, topic: str) -> None: ...

    def received(self) -> AsyncIterator[Received]:
        """Until it is lost."""
