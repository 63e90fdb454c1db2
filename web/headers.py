"""Headers that every response carries, and the answer to other origins' questions (CORS)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import aiohttp.web as aiohttp_web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_app import Application

from web.access import REQUEST_ID

SECURITY = {
    # blob: is a worker's and a chosen file's; data: is a picture among a transform's settings.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

EXPOSED = "Location, Link, ETag, Retry-After, Accept-Post, Accept-Patch, X-Request-Id"
"""Headers of ours that another origin's page may read: what WHIP and WHEP clients go by."""

PREFLIGHT_MAX_AGE = 600
"""Seconds that a browser may remember the answer: ten minutes, so that a changed configuration soon counts."""


def secured(hsts: int) -> Callable[[aiohttp_web.Request, aiohttp_web.StreamResponse], Awaitable[None]]:
    """For ``on_response_prepare``. ``hsts``: seconds (RFC 6797), or 0."""
    always = SECURITY | ({"Strict-Transport-Security": f"max-age={hsts}"} if hsts else {})

    async def secure(request: aiohttp_web.Request, response: aiohttp_web.StreamResponse) -> None:
        for name, value in always.items():
            response.headers.setdefault(name, value)
        if REQUEST_ID in request:
            response.headers["X-Request-Id"] = request[REQUEST_ID]

    return secure


def allow_origins(origins: Sequence[str]) -> Middleware:
    """CORS for these origins ("*": any); with none, a browser lets no page but our own call."""
    allowed = frozenset(origins)

    @aiohttp_web.middleware
    async def cors(request: aiohttp_web.Request, handler: Handler) -> aiohttp_web.StreamResponse:
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if preflight and request.match_info.http_exception is not None:
            # Of a route that says nothing of itself.
            response: aiohttp_web.StreamResponse = aiohttp_web.Response()
        else:
            response = await handler(request)
        origin = request.headers.get("Origin")
        if not allowed or response.prepared:
            return response
        response.headers.add("Vary", "Origin")
        if origin is not None and (origin in allowed or "*" in allowed):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            if preflight:
                response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
                response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-Match"
                response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_MAX_AGE)
        return response

    return cors


def install(app: Application, origins: Sequence[str], hsts: int = 0) -> None:
    """Puts both in place; to be called first, so that refusals carry the headers too."""
    app.on_response_prepare.append(secured(hsts))
    app.middlewares.append(allow_origins(origins))
