"""Streams over HTTP: how they are doing, and which chain they run."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp.web as aiohttp_web

from signaling import chain_document, names
from signaling.auth.need import READ
from stream.report import StreamReport
from transforms.chain import StepReport
from transforms.window import Quantiles
from web import body
from web.access import principal
from web.services import Streams

MAX_CHAIN = 4 * 1024 * 1024
"""Bytes of a chain: pictures may be among its settings, at most 1280x720 as PNG from the page."""


@dataclass(frozen=True, slots=True)
class StepSummary:
    transform: str
    latency_ms: Quantiles
    errors: int
    """Frames that passed without it."""


@dataclass(frozen=True, slots=True)
class StreamDocument(StreamReport):
    """A stream as it is told of. Steps come without their settings, which may be megabytes: ``/chain`` has them."""

    chain: Sequence[StepSummary]  # type: ignore[assignment]


def document(report: StreamReport) -> dict[str, Any]:
    """A report as JSON. A step's settings are left out, since they may be megabytes: ``/chain`` has them."""
    return {
        "stream": report.stream,
        "state": report.state,
        "chain": [_step(step) for step in report.chain],
        "publisher": None if report.publisher is None else dataclasses.asdict(report.publisher),
        "viewers": report.viewers,
        "audience": [dataclasses.asdict(viewer) for viewer in report.audience],
        "renditions": [dataclasses.asdict(rendition) for rendition in report.renditions],
        "sound": None if report.sound is None else dataclasses.asdict(report.sound),
        "outputs": [dataclasses.asdict(output) for output in report.outputs],
        "load_level": report.load_level,
        "fps_in": report.fps_in,
        "fps_out": report.fps_out,
        "kbps_in": report.kbps_in,
        "kbps_out": report.kbps_out,
        "latency_ms": {stage: dataclasses.asdict(quantiles) for stage, quantiles in report.latency_ms.items()},
        "drops": dict(report.drops),
        "width_out": report.width_out,
        "height_out": report.height_out,
        "codec_out": report.codec_out,
    }


def _step(report: StepReport) -> dict[str, Any]:
    return {"transform": report.key, "latency_ms": dataclasses.asdict(report.duration), "errors": report.errors}


@dataclass(frozen=True)
class StreamRoutes:
    streams: Streams

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/api/streams", self.list_all)
        yield aiohttp_web.get("/api/streams/{stream}", self.show)
        yield aiohttp_web.delete("/api/streams/{stream}", self.end)
        yield aiohttp_web.get("/api/streams/{stream}/chain", self.chain)
        yield aiohttp_web.put("/api/streams/{stream}/chain", self.set_chain)

    async def list_all(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Those that the caller has a right to."""
        documents = []
        caller = principal(request)
        for report in self.streams.reports():
            if not caller.may(READ, report.stream):
                continue
            documents.append(document(report))
            # A report sorts some thousand durations: many in one go would hold up the packets of all streams.
            await asyncio.sleep(0)
        return _live(documents)

    async def show(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        return _live(document(self.streams.report(names.check(request.match_info["stream"]))))

    async def end(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """For its publisher and its viewers."""
        await self.streams.stop(names.check(request.match_info["stream"]), "it was ended by the API")
        return aiohttp_web.Response(status=204)

    async def chain(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        return await self._chain(names.check(request.match_info["stream"]))

    async def set_chain(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Answers with the chain as it now is, defaults filled in."""
        name = names.check(request.match_info["stream"])
        self.streams.steps(name)  # refuses a stream that is not there before its body is read
        body.require_type(request, "application/json")
        steps = await asyncio.to_thread(chain_document.parse, await body.read(request, MAX_CHAIN))
        await self.streams.set_chain(name, steps)
        return await self._chain(name)

    async def _chain(self, name: str) -> aiohttp_web.Response:
        written = await asyncio.to_thread(chain_document.dump, self.streams.steps(name))
        return aiohttp_web.Response(body=written, content_type="application/json", headers={"Cache-Control": "no-store"})


def _live(data: object) -> aiohttp_web.Response:
    return aiohttp_web.json_response(data, headers={"Cache-Control": "no-store"})
