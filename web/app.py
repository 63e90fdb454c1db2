"""Puts the door together from what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import aiohttp.web as aiohttp_web
from prometheus_client import CollectorRegistry

from signaling.auth.authority import Authority
from signaling.rate import RateLimit
from stream.system import SystemReport
from transforms.packages.shelf import ShelfEntry
from web import headers, proxies
from web.access import AUTHORITY, AccessLogger, require
from web.boundary import boundary
from web.catalogue import CatalogueRoutes
from web.health import HealthRoutes
from web.malformed import RequestLogger
from web.models import ModelRoutes
from web.openapi import OpenApiRoutes
from web.outputs import OutputRoutes
from web.pages import PageRoutes
from web.patience import Patience, PatientRunner
from web.services import Ready, Sessions, Streams
from web.source import SourceRoutes, Sources
from web.streams import StreamRoutes
from web.system import SystemRoutes
from web.webrtc import WebRtcRoutes

PATIENCE = aiohttp_web.AppKey("patience", Patience)

KEEPALIVE = 30.0
"""Seconds an idle connection is kept: the page asks every second, and who asks less often may connect again."""

LINGER = 5.0
"""Seconds for which the rest of a refused body is still read, so that the client gets to see the refusal."""

SHUTDOWN = 2.0
"""Seconds that a call still has when the server stops, so that the whole stop stays within a few seconds."""


def make_app(
    *,
    sessions: Sessions,
    streams: Streams,
    sources: Sources,
    models: Callable[[], Iterable[ShelfEntry]],
    ready: Ready,
    metrics: CollectorRegistry,
    look: Callable[[], None] = lambda: None,
    system: Callable[[], SystemReport] | None = None,
    authority: Authority | None = None,
    origins: Sequence[str] = (),
    trusted_proxies: Sequence[str] = (),
    hsts: int = 0,
    make_rate_limit: Callable[[], RateLimit] = RateLimit,
) -> aiohttp_web.Application:
    """The application. Without an authority, anybody may do anything.

    ``origins`` are other sites whose pages may call (CORS), such as "https://example.org"; the ``trusted_proxies`` are
    addresses and networks; ``hsts`` is how many seconds browsers are told to come by HTTPS alone. ``make_rate_limit`` makes one
    for each method that sets up or ends a connection.
    """
    app = aiohttp_web.Application()
    app[PATIENCE] = patience = Patience()
    app.middlewares.append(patience.middleware)
    app.middlewares.append(proxies.behind(trusted_proxies))
    headers.install(app, origins, hsts)
    app.middlewares.append(boundary)
    app[AUTHORITY] = authority or Authority()
    app.middlewares.append(require(app[AUTHORITY], proxied=bool(trusted_proxies)))
    app.add_routes(HealthRoutes(ready, metrics, look).routes())
    app.add_routes(WebRtcRoutes(sessions, make_rate_limit).routes())
    app.add_routes(StreamRoutes(streams).routes())
    app.add_routes(OutputRoutes(streams.outputs).routes())
    app.add_routes(SourceRoutes(sources).routes())
    app.add_routes(CatalogueRoutes().routes())
    app.add_routes(ModelRoutes(models).routes())
    if system is not None:
        app.add_routes(SystemRoutes(streams, system).routes())
    app.add_routes(OpenApiRoutes().routes())
    app.add_routes(PageRoutes().routes())
    return app


def make_runner(app: aiohttp_web.Application, *, encrypted: bool = False) -> aiohttp_web.AppRunner:
    """Serves the application with bounds on what a connection may hold, and a log without secrets.

    ``encrypted``: over TLS.
    """
    app[PATIENCE].encrypted = encrypted
    return PatientRunner(
        app,
        app[PATIENCE],
        access_log_class=AccessLogger,
        logger=RequestLogger(),
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE,
        lingering_time=LINGER,
        shutdown_timeout=SHUTDOWN,
    )
