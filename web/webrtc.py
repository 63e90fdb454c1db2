"""Offers in, answers out, in one shape for all: ``/loop`` (your own video back), ``/whip`` (RFC 9725) and ``/whep``
(draft-ietf-wish-whep-03).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import aiohttp.web as aiohttp_web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from signaling import chain_document, names
from signaling.auth.need import PUBLISH, WATCH
from signaling.errors import NotFound
from signaling.rate import RateLimit, network
from transforms.chain import Step
from web import body
from web.access import AUTHORITY, principal, refuse
from web.problem import Problem
from web.proxies import client
from web.services import Session, Sessions

MAX_OFFER = 64 * 1024
"""Bytes of SDP: a browser's offer of one video has about 4 KB."""

MAX_FRAGMENT = 16 * 1024
"""Bytes of a trickled fragment: 64 candidates have about 8 KB."""

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"

Connect = Callable[[aiohttp_web.Request, str, str], Awaitable[Session]]
"""Request, stream and offer to a session."""


class WebRtcRoutes:
    """Every method that sets something up or ends it has a rate limit of its own: who may not connect may still leave."""

    def __init__(self, sessions: Sessions, make_rate_limit: Callable[[], RateLimit]) -> None:
        self._sessions = sessions
        self._limits: Mapping[str, RateLimit] = {method: make_rate_limit() for method in ("POST", "PATCH", "DELETE")}

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        kinds: dict[str, Connect] = {"loop": self._loop, "whip": self._publish, "whep": self._watch}
        for kind, connect in kinds.items():
            endpoint, session = f"/{kind}/{{stream}}", f"/{kind}/{{stream}}/sessions/{{session}}"
            yield aiohttp_web.post(endpoint, self._limited(_endpoint(self._sessions, kind, connect)))
            yield aiohttp_web.get(endpoint, self.nothing)
            yield aiohttp_web.options(endpoint, self.endpoint_options)
            yield aiohttp_web.patch(session, self._limited(self.trickle))
            yield aiohttp_web.delete(session, self._limited(self.disconnect))
            yield aiohttp_web.get(session, self.nothing)
            yield aiohttp_web.options(session, self.session_options)

    async def trickle(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """RFC 9725 section 4.3.2: 204, and nothing else."""
        self._known(request)
        body.require_type(request, FRAGMENT)
        fragment = _text(await body.read(request, MAX_FRAGMENT))
        await self._sessions.trickle(request.match_info["session"], fragment, request.headers.get("If-Match"))
        return aiohttp_web.Response(status=204)

    async def disconnect(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """200 whatever there was, and whatever its ETag: the client wanted it gone, and it is."""
        self._own(request)
        await self._sessions.end(request.match_info["session"])
        return aiohttp_web.Response()

    async def nothing(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """RFC 9725 section 4.1: there is nothing to see here, and that is a success."""
        names.check(request.match_info["stream"])
        if "session" in request.match_info:
            self._known(request)
        return aiohttp_web.Response(headers={"Cache-Control": "no-store"})

    async def endpoint_options(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.Response(headers={"Accept-Post": SDP, "Allow": "GET, HEAD, OPTIONS, POST"})

    async def session_options(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        headers = {"Accept-Post": SDP, "Accept-Patch": FRAGMENT, "Allow": "DELETE, GET, HEAD, OPTIONS, PATCH"}
        return aiohttp_web.Response(headers=headers)

    async def _loop(self, request: aiohttp_web.Request, name: str, offer: str) -> Session:
        """``?chain=`` is the chain to begin with; without it, none."""
        return await self._sessions.loop(name, offer, await _chain(request) or [], principal(request))

    async def _publish(self, request: aiohttp_web.Request, name: str, offer: str) -> Session:
        """``?chain=`` is the chain to begin with; without it, the one that the stream has, or none."""
        return await self._sessions.publish(name, offer, await _chain(request), principal(request))

    async def _watch(self, request: aiohttp_web.Request, name: str, offer: str) -> Session:
        return await self._sessions.watch(name, offer, principal(request))

    def _own(self, request: aiohttp_web.Request) -> None:
        """Whoever has its address may not end somebody else's session. Raises Problem."""
        session, stream = request.match_info["session"], request.match_info["stream"]
        if not request.app[AUTHORITY].open and not self._sessions.belongs(session, stream, principal(request)):
            need = WATCH if request.path.startswith("/whep/") else PUBLISH
            raise refuse(request, need, "it is somebody else's session")

    def _known(self, request: aiohttp_web.Request) -> None:
        self._own(request)
        if request.match_info["session"] not in self._sessions:
            raise NotFound("there is no such session (any more); connect again")

    def _limited(self, handler: Handler) -> Handler:
        async def limited(request: aiohttp_web.Request) -> aiohttp_web.StreamResponse:
            wait = self._limits[request.method].take(network(client(request)))
            if wait:
                seconds = math.ceil(wait)
                raise Problem(429, f"too many calls from this address; wait {seconds} s", {"Retry-After": str(seconds)})
            return await handler(request)

        return limited


def _endpoint(sessions: Sessions, kind: str, connect: Connect) -> Handler:
    async def handle(request: aiohttp_web.Request) -> aiohttp_web.Response:
        name = names.check(request.match_info["stream"])
        body.require_type(request, SDP)
        session = await connect(request, name, _text(await body.read(request, MAX_OFFER)))
        headers = CIMultiDict(
            {
                "Location": f"/{kind}/{name}/sessions/{session.id}",
                "ETag": session.etag,
                "Accept-Patch": FRAGMENT,
                "Cache-Control": "no-store",
            }
        )
        for link in sessions.ice_links:
            headers.add("Link", link)
        return aiohttp_web.Response(status=201, text=session.answer, content_type=SDP, headers=headers)

    return handle


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "the body is not UTF-8 text; send the SDP as the browser made it") from error


async def _chain(request: aiohttp_web.Request) -> Sequence[Step] | None:
    text = request.query.get("chain")
    # A transform's first use imports it, and its settings may hold pictures.
    return None if text is None else await asyncio.to_thread(chain_document.parse_query, text)
