"""The WebRTC peers of one stream: they are connected here, and told when they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from stream.audience import Audience
from stream.connection import Connection
from stream.engine import Engine
from stream.errors import NoRoom, NotLive
from stream.ingest import Ingest
from stream.ingest.webrtc import WebRtcIngest
from stream.publication import Publication
from stream.rtc.parameters import Media, RemoteTransport
from stream.rtc.peer import Peer
from stream.viewer import Viewer


class Published(Protocol):
    """The stream that they come to."""

    name: str
    state: str

    @property
    def wanted(self) -> bool:
        """Whether somebody publishes it, or waits for it."""

    def attach(self, make: Callable[[Publication], Ingest], /) -> Ingest:
        """Lets somebody publish. Raises UnknownStream."""


class Peers:
    """Lives on the event loop."""

    def __init__(
        self,
        stream: Published,
        engine: Engine,
        audience: Audience,
        epoch: int,
        *,
        on_arrival: Callable[[], None],
        on_over: Callable[[str], Awaitable[None]],
        refused: Callable[[str], None],
    ) -> None:
        """``epoch`` is when the stream's time was 0, Unix ns. ``on_over`` ends the stream; ``refused`` is told why somebody was
        not let in.
        """
        self._stream = stream
        self._engine = engine
        self._audience = audience
        self._epoch = epoch
        self._on_arrival = on_arrival
        self._on_over = on_over
        self._refused = refused
        self._viewers: dict[Viewer, Callable[[str], None]] = {}
        """And whom to tell when one is gone."""

    @property
    def viewers(self) -> list[Viewer]:
        """Those who watch, and those who are about to."""
        return list(self._viewers)

    async def publish(
        self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None], protocol: str = "whip"
    ) -> Connection:
        """Connects a peer that only publishes. Raises TransportError."""

        def make(publication: Publication) -> WebRtcIngest:
            def closed(reason: str) -> None:
                publication.closed(reason)
                on_closed(reason)

            return WebRtcIngest(
                self._engine.peers,
                media,
                protocol,
                on_video=publication.video,
                on_audio=publication.sound,
                on_closed=closed,
                clock=self._engine.clock,
            )

        ingest = self._stream.attach(make)
        assert isinstance(ingest, WebRtcIngest)

        async def close(reason: str) -> None:
            await ingest.close(reason)
            if not self._stream.wanted:
                # It ended on purpose, and nobody waits for it.
                await asyncio.shield(self._on_over(reason))

        return await self._connect(ingest.peer, remote, close)

    async def loop_back(self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None]) -> Connection:
        """Connects one peer both ways: what it publishes comes back to it through the chain. Raises TransportError."""
        viewer: Viewer | None = None

        def keyframe_requested() -> None:
            if viewer is not None:
                self._audience.keyframe_requested(viewer)

        def estimated(_: int) -> None:
            if viewer is not None:
                self._audience.estimated(viewer)

        def make(publication: Publication) -> WebRtcIngest:
            def closed(reason: str) -> None:
                publication.closed(reason)
                if viewer is not None:
                    self._gone(viewer, reason)

            return WebRtcIngest(
                self._engine.peers,
                media,
                "loop",
                epoch=self._epoch,
                on_video=publication.video,
                on_audio=publication.sound,
                on_closed=closed,
                on_keyframe_request=keyframe_requested,
                on_bitrate=estimated,
                clock=self._engine.clock,
            )

        ingest = self._stream.attach(make)
        assert isinstance(ingest, WebRtcIngest)
        viewer = Viewer(ingest.peer, "loop", self._engine.clock)
        self._viewers[viewer] = on_closed

        async def close(reason: str) -> None:
            await asyncio.shield(self._on_over(reason))

        connection = await self._connect(ingest.peer, remote, close)
        self._arrived(viewer)
        return connection

    async def watch(
        self, media: Media, remote: RemoteTransport, on_closed: Callable[[str], None], protocol: str = "whep"
    ) -> Connection:
        """Connects a viewer. Raises NotLive, NoRoom and TransportError."""
        if self._stream.state not in ("live", "waiting"):
            raise NotLive(f"stream {self._stream.name!r} is not live yet; try again in a moment")
        if len(self._viewers) >= self._engine.limits.max_viewers:
            self._engine.metrics.refusals.labels("viewers").inc()
            self._refused(f"one more viewer than {self._engine.limits.max_viewers}")
            raise NoRoom(
                f"stream {self._stream.name!r} has as many viewers as it may ({self._engine.limits.max_viewers}); try again later"
            )
        peer = Peer(
            self._engine.peers,
            media,
            epoch=self._epoch,
            on_keyframe_request=lambda: self._audience.keyframe_requested(viewer),
            on_bitrate=lambda _: self._audience.estimated(viewer),
            on_closed=lambda reason: self._gone(viewer, reason),
            clock=self._engine.clock,
        )
        viewer = Viewer(peer, protocol, self._engine.clock)
        self._viewers[viewer] = on_closed
        return await self._connect(peer, remote, peer.close, on_connected=lambda: self._arrived(viewer))

    def _gone(self, viewer: Viewer, reason: str) -> None:
        self._audience.remove(viewer)
        told = self._viewers.pop(viewer, None)
        if told is not None:
            told(reason)

    def _arrived(self, viewer: Viewer) -> None:
        """A viewer's line is there."""
        if viewer in self._viewers:
            self._audience.add(viewer)
            self._on_arrival()

    async def _connect(
        self,
        peer: Peer,
        remote: RemoteTransport,
        close: Callable[[str], Awaitable[None]],
        on_connected: Callable[[], None] = lambda: None,
    ) -> Connection:
        try:
            local = await peer.gather()
        except BaseException:  # a cancellation too: its sockets must not stay
            await asyncio.shield(peer.close("it could not be set up"))
            raise
        peer.start(remote, on_connected)
        return Connection(local, peer.ssrcs(), peer.cname, peer.add_candidates, close)
