"""What the door asks of the house behind it: no more than it calls, so that a test can stand in for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from signaling.auth.principal import Principal
from stream.report import StreamReport
from transforms.chain import Step
from web.outputs import Outputs


class Session(Protocol):
    """A peer connection that was let in."""

    @property
    def id(self) -> str:
        """Unguessable: whoever knows it may end the session."""

    @property
    def answer(self) -> str:
        """SDP."""

    @property
    def etag(self) -> str:
        """Of its ICE session, as HTTP writes it."""


class Sessions(Protocol):
    """Lets peers in, and out again. Connecting raises SignalingError, TransformError or ModelError."""

    @property
    def ice_links(self) -> Iterable[str]:
        """Values of Link headers that tell of STUN and TURN servers."""

    async def loop(self, stream: str, offer: str, steps: Sequence[Step], publisher: Principal, /) -> Session:
        """A publisher that gets its own transformed video back."""

    async def publish(self, stream: str, offer: str, steps: Sequence[Step] | None, publisher: Principal, /) -> Session:
        """A publisher. Without steps its chain stays as it is."""

    async def watch(self, stream: str, offer: str, viewer: Principal, /) -> Session:
        """A viewer."""

    async def trickle(self, session_id: str, fragment: str, if_match: str | None, /) -> None:
        """Raises SignalingError."""

    async def end(self, session_id: str, /) -> None:
        """Of one that is not there nothing is to be done."""

    def __contains__(self, session_id: object, /) -> bool: ...

    def belongs(self, session_id: str, stream: str, caller: Principal, /) -> bool:
        """Whether it is a session of that stream, and the caller's; of one that is not there, nobody else's."""


class Streams(Protocol):
    """The streams there are. All but ``reports`` raise UnknownStream."""

    def reports(self) -> Iterable[StreamReport]:
        """Best made one by one, as they are asked for."""

    def report(self, name: str, /) -> StreamReport: ...

    def steps(self, name: str, /) -> Sequence[Step]: ...

    def outputs(self, name: str, /) -> Outputs: ...

    async def stop(self, name: str, reason: str, /) -> None:
        """Ends it, for its publisher and its viewers."""

    async def thumbnail(self, name: str, /) -> bytes | None:
        """A small JPEG of what it shows; None where it shows nothing."""

    async def set_chain(self, name: str, steps: Sequence[Step], /) -> None:
        """Also raises TransformError or ModelError; nothing has changed then."""


class Ready(Protocol):
    """None when streams can be taken, else the sentence that says why not."""

    def __call__(self) -> str | None: ...
