"""The models there are: what the page offers where a setting names one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import aiohttp.web as aiohttp_web

from transforms.packages.shelf import ShelfEntry


@dataclass(frozen=True)
class ModelRoutes:
    list_models: Callable[[], Iterable[ShelfEntry]]
    """Reads the disk, so it is called in a thread. Packages come and go while the server runs: nothing is kept."""

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/api/models", self.list_all)

    async def list_all(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        found = await asyncio.to_thread(lambda: [entry.model_dump(mode="json") for entry in self.list_models()])
        return aiohttp_web.json_response(found, headers={"Cache-Control": "no-store"})
