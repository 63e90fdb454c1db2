"""What the door asks of the house behind it: no more than it calls, so that a test can stand in for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from stream.report import StreamReport
from transforms.chain import Step


class Session(Protocol):
    """A peer connection that was let in."""

    @property
    def id(self) -> str:
        """Unguessable: whoever knows it may end the session."""

    @property
    def answer(self) -> str:
        """SDP."""


class Loop(Protocol):
    """Connects a publisher that gets its own transformed video back."""

    async def connect(self, stream: str, offer: str, steps: Sequence[Step], /) -> Session:
        """Raises SignalingError, TransformError or ModelError."""

    async def disconnect(self, session_id: str, /) -> None:
        """Raises SignalingError."""


class Streams(Protocol):
    """The streams there are. All but ``reports`` raise UnknownStream."""

    def reports(self) -> Iterable[StreamReport]:
        """Best made one by one, as they are asked for."""

    def report(self, name: str, /) -> StreamReport: ...

    def steps(self, name: str, /) -> Sequence[Step]: ...

    async def set_chain(self, name: str, steps: Sequence[Step], /) -> None:
        """Also raises TransformError or ModelError; nothing has changed then."""


class Ready(Protocol):
    """None when streams can be taken, else the sentence that says why not."""

    def __call__(self) -> str | None: ...
