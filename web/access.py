"""Who may call: the bearer key, and the log of who called."""

from __future__ import annotations

import hmac
import logging

import aiohttp.web as aiohttp_web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.typedefs import Handler, Middleware
from pydantic import SecretStr

from web.problem import Problem

OPEN = frozenset({"/", "/watch/{stream}", "/healthz", "/readyz", "/static/{path}"})
"""Routes that need no key: what a probe asks for, and the pages, which ask their user for the key."""


def bearer(request: aiohttp_web.Request) -> str | None:
    """The token that the client sent (RFC 6750 section 2.1), or None."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    token = sent.strip()
    return token if scheme.lower() == "bearer" and token else None


def require_key(key: SecretStr) -> Middleware:
    """A middleware that lets nothing else pass without ``Authorization: Bearer <key>`` (RFC 6750)."""
    expected = key.get_secret_value().encode()

    @aiohttp_web.middleware
    async def check(request: aiohttp_web.Request, handler: Handler) -> aiohttp_web.StreamResponse:
        # By the route that was matched, not by the path that was sent: the two cannot be made to differ.
        resource = request.match_info.route.resource
        if request.method == "OPTIONS" or (resource is not None and resource.canonical in OPEN):
            return await handler(request)
        sent = (bearer(request) or "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(sent, expected):
            raise Problem(
                401,
                "this server asks for an access key: send it as Authorization: Bearer, or open the page with #key= and the key",
                {"WWW-Authenticate": 'Bearer realm="doppel"'},
            )
        return await handler(request)

    return check


class AccessLogger(AbstractAccessLogger):
    """One line a request. Queries, headers and session ids are left out: they may be, or hold, secrets."""

    @property
    def enabled(self) -> bool:
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: aiohttp_web.BaseRequest, response: aiohttp_web.StreamResponse, time: float) -> None:
        # The raw path is still percent-encoded, so nobody can write lines of their own into the log.
        path = request.rel_url.raw_path
        if isinstance(request, aiohttp_web.Request) and "session" in request.match_info:
            path = path.rpartition("/")[0] + "/..."
        self.logger.info(
            "%s %s %s -> %d, %d bytes, %.0f ms",
            request.remote,
            request.method,
            path,
            response.status,
            response.body_length,
            time * 1e3,
        )
