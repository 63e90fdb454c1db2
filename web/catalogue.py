"""Every transform with its settings as JSON Schema: what the page builds its controls from."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

import aiohttp.web as aiohttp_web

from transforms.registry import keys, load

logger = logging.getLogger(__name__)


def _describe(key: str) -> dict[str, Any]:
    try:
        transform = load(key)
        schema = transform.settings_type.model_json_schema()
    except Exception as error:  # a plugin's own code made the schema; one that is broken must not hide the others
        logger.warning("transform %r is listed as broken", key, exc_info=True)
        return {"transform": key, "title": key, "summary": "", "error": str(error)}
    return {"transform": key, "title": transform.title, "summary": transform.summary, "settings": schema}


def build() -> bytes:
    """The list as JSON. Imports every transform, which may take seconds."""
    return json.dumps([_describe(key) for key in keys()]).encode()


class CatalogueRoutes:
    """Built once, on the first call: the library does not change while the process runs."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._document: bytes | None = None

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/api/transforms", self.list_all)

    async def list_all(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        async with self._lock:
            if self._document is None:
                self._document = await asyncio.to_thread(build)
        return aiohttp_web.Response(body=self._document, content_type="application/json", headers={"Cache-Control": "no-cache"})
