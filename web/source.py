"""A stream's source over HTTP: a file or a URL that the server reads by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import aiohttp.web as aiohttp_web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from signaling import chain_document, names
from signaling.auth.principal import Principal
from stream.media.limits import URL_LENGTH
from stream.media.source import SourceForbidden, SourceRefused
from transforms.chain import Step
from web import body
from web.access import principal
from web.problem import Problem
from web.streams import MAX_CHAIN

EXAMPLE = '{"url": "rtsp://camera.example/live"}'


class Sources(Protocol):
    """What reads files and URLs into streams."""

    async def start_source(
        self, stream: str, url: str, loop: bool, steps: Sequence[Step] | None, publisher: Principal, /
    ) -> bool:
        """Makes the stream, or takes it over from the source that it has; whether it was made. ``steps`` None leaves an old
        stream's chain as it is. Raises SourceRefused, SignalingError, TransformError or ModelError.
        """

    async def end_source(self, stream: str, /) -> None:
        """Ends it, if there is one. Raises UnknownStream."""


class SourceDocument(BaseModel):
    """What is sent: ``{"url": "...", "loop": false, "chain": [...]}``, of which only the first must be there."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    url: Annotated[str, Field(min_length=1, max_length=URL_LENGTH)]
    loop: bool = False
    chain: list[Any] | None = None


def parse(sent: bytes) -> tuple[SourceDocument, list[Step] | None]:
    """The document and its chain. May take a while. Raises Problem or TransformError."""
    try:
        document = SourceDocument.model_validate_json(sent)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise Problem(400, f"this is not JSON ({first['msg']}); send a source like {EXAMPLE}.") from error
        where = "".join(f" {part}" for part in first["loc"])
        detail = f"this is no source{' at' + where if where else ''}: {first['msg']}; send one like {EXAMPLE}."
        raise Problem(422, detail) from error
    if document.chain is None:
        return document, None
    return document, chain_document.parse(json.dumps({"chain": document.chain}).encode())


@dataclass(frozen=True)
class SourceRoutes:
    sources: Sources

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.put("/api/streams/{stream}/source", self.start)
        yield aiohttp_web.delete("/api/streams/{stream}/source", self.end)

    async def start(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """201 where the stream is new, else 200. Whether the source can be read shows in the stream's report."""
        name = names.check(request.match_info["stream"])
        body.require_type(request, "application/json")
        document, steps = await asyncio.to_thread(parse, await body.read(request, MAX_CHAIN))
        try:
            made = await self.sources.start_source(name, document.url, document.loop, steps, principal(request))
        except SourceForbidden as error:
            raise Problem(403, str(error)) from error
        except SourceRefused as error:
            raise Problem(422, str(error)) from error
        # The URL is not sent back: it may hold credentials, and whoever asks next may not be who set it.
        answer = {"stream": name, "loop": document.loop}
        headers = {"Cache-Control": "no-store", "Location": f"/api/streams/{name}"}
        return aiohttp_web.json_response(answer, status=201 if made else 200, headers=headers)

    async def end(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """200 whether it had a source or not: it has none now. 404 where there is no such stream."""
        await self.sources.end_source(names.check(request.match_info["stream"]))
        return aiohttp_web.Response()
