"""How the whole server is doing, and what each stream looks like: what the dashboard shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import aiohttp.web as aiohttp_web

from signaling import names
from stream.system import SystemReport
from web.problem import Problem
from web.services import Streams


@dataclass(frozen=True)
class SystemRoutes:
    streams: Streams
    report: Callable[[], SystemReport]

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/api/system", self.show)
        yield aiohttp_web.get("/api/streams/{stream}/thumbnail", self.thumbnail)

    async def show(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.json_response(dataclasses.asdict(self.report()), headers={"Cache-Control": "no-store"})

    async def thumbnail(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """JPEG of what viewers see now, behind the chain."""
        picture = await self.streams.thumbnail(names.check(request.match_info["stream"]))
        if picture is None:
            raise Problem(404, "this stream shows nothing now: nobody watches it, or nothing came yet")
        return aiohttp_web.Response(body=picture, content_type="image/jpeg", headers={"Cache-Control": "no-store"})
