"""What machines ask: alive, ready, and the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import aiohttp.web as aiohttp_web
from prometheus_client import CollectorRegistry

from stream.metric_text import CONTENT_TYPE, render
from web.problem import Problem
from web.services import Ready


@dataclass(frozen=True)
class HealthRoutes:
    ready: Ready
    metrics: CollectorRegistry
    look: Callable[[], None]
    """Takes the figures of the streams, on the loop, for whoever asks next."""

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/healthz", self.alive)
        yield aiohttp_web.get("/readyz", self.is_ready)
        yield aiohttp_web.get("/metrics", self.show_metrics)

    async def alive(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.json_response({"status": "alive"}, headers={"Cache-Control": "no-store"})

    async def is_ready(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        why_not = self.ready()
        if why_not is not None:
            raise Problem(503, why_not)
        return aiohttp_web.json_response({"status": "ready"}, headers={"Cache-Control": "no-store"})

    async def show_metrics(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Written in a thread: some ms, with many streams."""
        self.look()
        text = await asyncio.to_thread(render, self.metrics)
        return aiohttp_web.Response(body=text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
