"""The pages and what belongs to them, as files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import aiohttp.web as aiohttp_web

from signaling import names

STATIC = Path(__file__).parent / "static"

_KEEP = {"Cache-Control": "no-cache"}
"""Kept by the browser, and asked for by ETag each time: modules of two versions must never meet."""


_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""Named here, since what a system thinks of ".js" differs, and a browser runs no module of another type."""


class PageRoutes:
    """Serves the files that are there now, and no path made from what a client sent."""

    def __init__(self) -> None:
        self._files = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in _TYPES}

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/", self.index)
        yield aiohttp_web.get("/watch/{stream}", self.watch)
        yield aiohttp_web.get("/dashboard", self.dashboard)
        yield aiohttp_web.get("/static/{path:.+}", self.file)

    async def index(self, request: aiohttp_web.Request) -> aiohttp_web.FileResponse:
        return _send(self._files["index.html"])

    async def watch(self, request: aiohttp_web.Request) -> aiohttp_web.FileResponse:
        """The same for every stream, there or not: the page waits for it. Raises BadRequest where no stream may be called so."""
        names.check(request.match_info["stream"])
        return _send(self._files["watch.html"])

    async def dashboard(self, request: aiohttp_web.Request) -> aiohttp_web.FileResponse:
        return _send(self._files["dashboard.html"])

    async def file(self, request: aiohttp_web.Request) -> aiohttp_web.FileResponse:
        path = self._files.get(request.match_info["path"])
        if path is None:
            raise aiohttp_web.HTTPNotFound
        return _send(path)


def _send(path: Path) -> aiohttp_web.FileResponse:
    return aiohttp_web.FileResponse(path, headers=_KEEP | {"Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8"})
