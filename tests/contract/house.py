"""A whole server in the test's own process, on loopback: HTTP, signaling and the streams behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import torch
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy

from signaling.auth.authority import Authority
from signaling.rate import RateLimit
from signaling.sessions import Sessions
from signaling.source import SourceDoor
from stream.engine import Engine
from stream.exposition import Exposition
from stream.ingest import Ingest
from stream.limits import Limits
from stream.load import Load
from stream.loop_watch import LoopWatch
from stream.media.source import Allowed
from stream.metrics import Metrics
from stream.publication import Publication
from stream.rtc.peer import PeerConfig
from stream.streams import Streams
from stream.system import System
from tests.keys import authority
from tests.stream.pictures import encoded
from transforms.models.store import Store
from transforms.packages.shelf import entries
from web.app import make_app

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"

Kind = Literal["loop", "whip", "whep"]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def location(self) -> str:
        return self.headers["Location"]

    @property
    def type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    @property
    def sections(self) -> list[list[str]]:
        """Lines of the answer's media sections."""
        return [part.splitlines() for part in re.split(r"(?m)^(?=m=)", self.text)[1:]]

    def refuses(self, status: int, *words: str) -> None:
        """Asserts that this is a problem (RFC 9457) of that status, whose sentence has these words."""
        assert self.status == status, self.text
        assert self.type == "application/problem+json"
        for word in words:
            assert word in self.text


@dataclass
class Still:
    """A publisher that sent one picture and no more."""

    protocol: str = "still"
    packets_lost: int = 0
    pictures_lost: int = 0
    round_trip: int | None = None

    def request_keyframe(self) -> None:
        pass

    async def close(self, reason: str) -> None:
        pass


@dataclass
class House:
    store: Store
    limits: Limits = field(default_factory=Limits)
    ice_links: tuple[str, ...] = ()
    key: str | None = None
    authority: Authority | None = None
    """Instead of a key."""
    origins: tuple[str, ...] = ()
    burst: int = 1000
    """Calls that an address may make in all."""

    async def open(self) -> None:
        metrics = Metrics()
        peers = PeerConfig(["127.0.0.1"], limits=self.limits)
        engine = Engine(torch.device("cpu"), self.store, peers, metrics, load=Load(lambda: 0))
        self.streams = Streams(engine)
        exposition = Exposition(self.streams.tallies, self.store.meter.snapshot)
        metrics.registry.register(exposition)
        self.sessions = Sessions(self.streams, ("H264", "VP8"), self.limits.start_bitrate, self.ice_links)
        app = make_app(
            sessions=self.sessions,
            streams=self.streams,
            sources=SourceDoor(self.streams, Allowed((), None), self.limits.max_pixels),
            models=lambda: entries(self.store),
            ready=lambda: None,
            metrics=metrics.registry,
            look=exposition.look,
            system=System(engine, self.streams, LoopWatch(metrics)).report,
            authority=self.authority or authority(self.key),
            origins=self.origins,
            make_rate_limit=lambda: RateLimit(self.burst, clock=lambda: 0.0),
        )
        self._server = TestServer(app)
        await self._server.start_server()
        self._client = aiohttp.ClientSession()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/"))

    async def close(self) -> None:
        await self._client.close()
        await self.streams.close()
        await self._server.close()

    async def call(
        self, method: str, path: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Follows no redirect."""
        given: dict[str, Any] = {"skip_auto_headers": ["Content-Type"], "allow_redirects": False}
        async with self._client.request(method, self._server.make_url(path), data=body, headers=headers, **given) as response:
            return Reply(response.status, response.headers, await response.text())

    async def offer(self, kind: Kind, name: str, sdp: str, token: str | None = None) -> Reply:
        """Posts an offer; the reply is whatever comes."""
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.call("POST", f"/{kind}/{name}", sdp, {"Content-Type": SDP} | authorization)

    async def enter(self, kind: Kind, name: str, sdp: str, token: str | None = None) -> Reply:
        """Posts an offer, which is taken."""
        reply = await self.offer(kind, name, sdp, token)
        assert reply.status == 201, reply.text
        return reply

    async def trickle(self, location: str, fragment: str, if_match: str | None) -> Reply:
        headers = {"Content-Type": FRAGMENT} | ({} if if_match is None else {"If-Match": if_match})
        return await self.call("PATCH", location, fragment, headers)

    def goes_live(self, name: str) -> None:
        """Publishes a picture on this stream, without any network."""

        def make(publication: Publication) -> Ingest:
            publications.append(publication)
            return Still()

        publications: list[Publication] = []
        self.streams.open(name).attach(make)
        publications[0].video(encoded()[0])
