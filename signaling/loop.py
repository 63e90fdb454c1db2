"""The lowest-latency way in and out: one peer connection, sendrecv, whose video comes back through the chain."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from signaling import answer, names, offer
from signaling.errors import Conflict, Unacceptable, Unavailable
from stream.rtc.transport import TransportError
from stream.session import NoRoom, Stream, StreamExists, Streams
from transforms.chain import Step
from transforms.errors import ModelError, TransformError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """An accepted offer."""

    id: str
    """Unguessable: who has it may end the session."""
    stream: str
    answer: str
    """SDP."""


class Loop:
    """Takes offers, and ends sessions. Lives on the event loop."""

    def __init__(self, streams: Streams, codecs: Sequence[str], start_bitrate: int) -> None:
        self._streams = streams
        self._codecs = codecs
        self._start_bitrate = start_bitrate
        self._sessions: dict[str, Stream] = {}

    async def connect(self, name: str, sdp: str, steps: Sequence[Step]) -> Session:
        """Opens a stream for the sender of this offer. Raises SignalingError."""
        names.check(name)
        read = offer.read(sdp, self._codecs, self._start_bitrate)
        try:
            stream = self._streams.open(name)
        except StreamExists as error:
            raise Conflict(str(error)) from error
        except NoRoom as error:
            raise Unavailable(str(error)) from error
        session = secrets.token_urlsafe(24)
        try:
            # Before anything can come back: a stream that is to be anonymous is so from its first frame.
            await stream.set_chain(steps)

            def ended(reason: str) -> None:
                self._streams.end(stream, reason).add_done_callback(lambda _: self._sessions.pop(session, None))

            self._sessions[session] = stream
            local = await stream.loop_back(read.media, read.remote, ended)
        except BaseException as error:  # whatever it was, a cancellation too: name, sockets and threads must be free again
            self._sessions.pop(session, None)
            # Shielded, as below: who hangs up does not stop the cleaning up.
            await asyncio.shield(self._streams.end(stream, "it could not be set up"))
            if isinstance(error, ModelError):
                raise Unavailable(f"a model of the chain cannot be had: {error}", retry_after=30) from error
            if isinstance(error, TransportError):
                raise Unavailable(str(error)) from error
            if isinstance(error, TransformError):
                raise Unacceptable(str(error)) from error
            raise
        logger.info("stream %s begins", name, extra={"stream": name})
        ssrcs, cname = stream.ssrcs()
        return Session(session, name, answer.write(read, local, ssrcs, cname))

    async def disconnect(self, session: str) -> None:
        """Ends a session, and returns when its name is free. Of one that is over, or never was, nothing is left to end."""
        stream = self._sessions.get(session)
        if stream is not None:
            await asyncio.shield(self._streams.end(stream, "its client ended it"))
