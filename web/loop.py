"""Your own video back over one peer connection: offer in, answer out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp.web as aiohttp_web

from signaling import names
from signaling.errors import SignalingError
from web import body, chain_document
from web.problem import Problem
from web.services import Loop

MAX_OFFER = 64 * 1024
"""Bytes of SDP: a browser's offer of one video has about 4 KB."""

SDP = "application/sdp"


@dataclass(frozen=True)
class LoopRoutes:
    loop: Loop

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.post("/loop/{stream}", self.connect)
        yield aiohttp_web.options("/loop/{stream}", self.options)
        yield aiohttp_web.delete("/loop/{stream}/sessions/{session}", self.disconnect)

    async def connect(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """``?chain=`` is the chain to begin with; without it, none."""
        name = names.check(request.match_info["stream"])
        body.require_type(request, SDP)
        try:
            offer = (await body.read(request, MAX_OFFER)).decode()
        except UnicodeDecodeError as error:
            raise Problem(400, "the offer is not UTF-8 text; send the SDP as the browser made it") from error
        # A transform's first use imports it, and its settings may hold pictures.
        steps = await asyncio.to_thread(chain_document.parse_query, request.query.get("chain", ""))
        session = await self.loop.connect(name, offer, steps)
        return aiohttp_web.Response(
            status=201,
            text=session.answer,
            content_type=SDP,
            headers={"Location": f"/loop/{name}/sessions/{session.id}", "Cache-Control": "no-store"},
        )

    async def disconnect(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """200 whatever there was: the client wanted it gone, and it is."""
        with contextlib.suppress(SignalingError):
            await self.loop.disconnect(request.match_info["session"])
        return aiohttp_web.Response()

    async def options(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Says what may be posted; a browser's own question before a call is answered by the CORS middleware."""
        return aiohttp_web.Response(headers={"Accept-Post": SDP, "Allow": "OPTIONS, POST"})
