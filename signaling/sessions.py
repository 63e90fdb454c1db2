"""WebRTC peers that were let in: what came of their offers (JSEP, WHIP: RFC 9725, WHEP: draft-ietf-wish-whep-03)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from signaling import answer, names, offer, trickle
from signaling.auth.principal import Principal
from signaling.errors import (
    Conflict,
    NotFound,
    NotLive,
    PreconditionFailed,
    PreconditionRequired,
    Unacceptable,
    Unavailable,
)
from signaling.offer import Offer
from signaling.section import Role
from stream import errors
from stream.connection import Connection
from stream.rtc.parameters import Media, RemoteTransport
from stream.rtc.transport import TransportError
from transforms.chain import Step
from transforms.errors import ModelError, TransformError

logger = logging.getLogger(__name__)

MAX_CANDIDATES = 64
"""ICE candidates of one session, with those of its offer: a machine has some per address, and each costs checks."""

UNKNOWN_RETRY = 2
"""Seconds after which a viewer may ask again for a stream that is not there: its publisher may be about to come."""

ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
"""RFC 9110 section 8.8.3."""

Closed = Callable[[str], None]
"""Told once, with the reason, that a peer is gone."""


class Stream(Protocol):
    """What is asked of one. Connecting raises TransportError; watching also stream.errors.NotLive and NoRoom."""

    async def set_chain(self, steps: Sequence[Step], /) -> None:
        """Raises TransformError, ModelError, or stream.errors.UnknownStream of one that is ending."""

    async def loop_back(self, media: Media, remote: RemoteTransport, on_closed: Closed, /) -> Connection: ...

    async def publish(self, media: Media, remote: RemoteTransport, on_closed: Closed, /) -> Connection: ...

    async def watch(self, media: Media, remote: RemoteTransport, on_closed: Closed, /) -> Connection: ...


class Streams(Protocol):
    """What is asked of all of them together."""

    def open(self, name: str, credential: str | None = None, *, exclusive: bool = False, takes_over: bool = False) -> Stream:
        """Raises stream.errors.StreamExists and NoRoom."""

    def get(self, name: str, /) -> Stream:
        """Raises stream.errors.UnknownStream."""

    def abandon(self, stream: Any, /) -> Awaitable[None]:
        """Ends one that could not be set up, unless it has a publisher or viewers."""


@dataclass(frozen=True, slots=True)
class Session:
    """An accepted offer."""

    id: str
    """Unguessable."""
    stream: str
    answer: str
    """SDP, with all candidates."""
    etag: str
    """Of its ICE session, as HTTP writes it: strong, in quotes."""


@dataclass(slots=True)
class _Peer:
    """What is kept of a session."""

    stream: str
    owner: str | None
    """The identity of whoever it was made for."""
    etag: str
    remote: RemoteTransport
    candidates: int
    """That it has had."""
    connection: Connection | None = None


class Sessions:
    """Takes offers, and ends sessions. Lives on the event loop."""

    def __init__(self, streams: Streams, codecs: Sequence[str], start_bitrate: int, ice_links: Iterable[str] = ()) -> None:
        """``codecs`` are encoding names in order of preference; ``ice_links`` are Link headers' values, of STUN and TURN."""
        self.ice_links = ice_links
        self._streams = streams
        self._codecs = codecs
        self._start_bitrate = start_bitrate
        self._sessions: dict[str, _Peer] = {}

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._sessions

    def belongs(self, session_id: str, stream: str, caller: Principal) -> bool:
        """Whether it is a session of that stream, and the caller's; of one that is not there, nobody else's."""
        peer = self._sessions.get(session_id)
        return peer is None or (peer.stream == stream and (caller.takes_over or caller.identity == peer.owner))

    async def loop(self, name: str, sdp: str, steps: Sequence[Step], publisher: Principal) -> Session:
        """Opens a stream for the sender of this offer, who gets it back. Raises SignalingError."""
        read = self._read(name, sdp, "loop")
        stream = self._open(name, publisher, exclusive=True)
        return await self._publish(name, read, stream, stream.loop_back, steps, publisher)

    async def publish(self, name: str, sdp: str, steps: Sequence[Step] | None, publisher: Principal) -> Session:
        """Lets the sender of this offer publish: a new stream, or its own again. Without steps the chain stays as it is.

        Raises SignalingError.
        """
        read = self._read(name, sdp, "publish")
        stream = self._open(name, publisher, exclusive=False)
        return await self._publish(name, read, stream, stream.publish, steps, publisher)

    async def watch(self, name: str, sdp: str, viewer: Principal) -> Session:
        """Lets the sender of this offer watch. Raises SignalingError: NotLive where there is nothing to see yet."""
        read = self._read(name, sdp, "watch")
        try:
            return await self._connect(name, read, self._streams.get(name).watch, viewer)
        except errors.UnknownStream as error:
            raise NotLive(f"stream {name!r} is not live; try again in a moment", UNKNOWN_RETRY) from error
        except errors.NotLive as error:
            raise NotLive(str(error), error.retry_after) from error
        except errors.NoRoom as error:
            raise Unavailable(str(error)) from error

    async def trickle(self, session_id: str, fragment: str, if_match: str | None) -> None:
        """Takes addresses that a client learned of after its offer. ``if_match`` is the header of that name.

        Raises SignalingError; the session then goes on as it was.
        """
        peer = self._sessions.get(session_id)
        if peer is None or peer.connection is None:
            raise NotFound("there is no such session (any more); connect again")
        if if_match is None:
            raise PreconditionRequired("say which ICE session this is for: send If-Match with the ETag of the answer")
        brought = trickle.read(fragment)
        remote = peer.remote
        restarts = not _same(brought.ufrag, remote.ufrag) or not _same(brought.password, remote.password)
        # RFC 9725 section 4.3.3: a restart is for whatever ICE session there is, and is the only request that may be.
        if not _matches(if_match, peer.etag) and not (restarts and if_match.strip() in ("*", '"*"')):
            raise PreconditionFailed("this is for another ICE session; send the ETag of this session's answer as If-Match")
        if restarts:
            raise Unacceptable("ICE restarts are not taken; the session goes on as it is, or connect again")
        if peer.candidates + len(brought.candidates) > MAX_CANDIDATES:
            raise Unacceptable(f"a session takes {MAX_CANDIDATES} ICE candidates, and this would be more; the session goes on")
        peer.candidates += len(brought.candidates)
        await peer.connection.add_candidates(brought.candidates)

    async def end(self, session_id: str) -> None:
        """Ends a session, and returns when its name is free. Of one that is over, or never was, nothing is left to end."""
        peer = self._sessions.get(session_id)
        if peer is not None and peer.connection is not None:
            await asyncio.shield(peer.connection.close("its client ended it"))

    def _read(self, name: str, sdp: str, role: Role) -> Offer:
        names.check(name)
        return offer.read(sdp, self._codecs, self._start_bitrate, role)

    def _open(self, name: str, publisher: Principal, *, exclusive: bool) -> Stream:
        try:
            return self._streams.open(name, publisher.identity, exclusive=exclusive, takes_over=publisher.takes_over)
        except errors.StreamExists as error:
            raise Conflict(str(error)) from error
        except errors.NoRoom as error:
            raise Unavailable(str(error)) from error

    async def _publish(
        self,
        name: str,
        read: Offer,
        stream: Stream,
        connect: Callable[[Media, RemoteTransport, Closed], Awaitable[Connection]],
        steps: Sequence[Step] | None,
        publisher: Principal,
    ) -> Session:
        try:
            if steps is not None:
                # Before anything can come: a stream that is to be anonymous is so from its first frame.
                await stream.set_chain(steps)
            return await self._connect(name, read, connect, publisher)
        except BaseException as error:  # whatever it was, a cancellation too: name, sockets and threads must be free again
            # Shielded: who hangs up does not stop the cleaning up.
            await asyncio.shield(self._streams.abandon(stream))
            if isinstance(error, ModelError):
                raise Unavailable(f"a model of the chain cannot be had: {error}", retry_after=30) from error
            if isinstance(error, TransformError):
                raise Unacceptable(str(error)) from error
            if isinstance(error, errors.UnknownStream):
                raise Unavailable(f"{error}; try again in a moment", retry_after=1) from error
            raise

    async def _connect(
        self,
        name: str,
        read: Offer,
        connect: Callable[[Media, RemoteTransport, Closed], Awaitable[Connection]],
        owner: Principal,
    ) -> Session:
        session_id, etag = secrets.token_urlsafe(24), f'"{secrets.token_urlsafe(12)}"'

        def closed(reason: str) -> None:
            if self._sessions.pop(session_id, None) is not None:
                logger.info("a session of stream %s is over: %s", name, reason, extra={"stream": name})

        peer = self._sessions[session_id] = _Peer(name, owner.identity, etag, read.remote, len(read.remote.candidates))
        try:
            connection = peer.connection = await connect(read.media, read.remote, closed)
        except BaseException as error:  # a cancellation too: nobody knows of this session
            self._sessions.pop(session_id, None)
            if isinstance(error, TransportError):
                raise Unavailable(str(error)) from error
            raise
        if session_id not in self._sessions:
            raise Unavailable("the connection ended while it was set up; try again", retry_after=1)
        return Session(session_id, name, answer.write(read, connection.local, connection.ssrcs, connection.cname), etag)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _matches(if_match: str, etag: str) -> bool:
    """RFC 9110 section 13.1.1: by strong comparison, so that a weak tag never does."""
    return any(not weak and f'"{tag}"' == etag for weak, tag in ENTITY_TAG.findall(if_match))
