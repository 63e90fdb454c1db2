"""Who may call, by what they send, and the log of who called."""

from __future__ import annotations

import logging
import secrets

import aiohttp.web as aiohttp_web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.typedefs import Handler, Middleware

from signaling.auth.authority import Authority, Call
from signaling.auth.need import Need
from signaling.auth.principal import Principal
from signaling.errors import Unauthorized
from web import needs
from web.hosts import is_here
from web.problem import Problem
from web.proxies import client

AUTHORITY = aiohttp_web.AppKey("authority", Authority)

PRINCIPAL = aiohttp_web.RequestKey("principal", Principal)

REQUEST_ID = aiohttp_web.RequestKey("request_id", str)
"""In the answer's X-Request-Id, and in the audit log."""

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="doppel"'}
"""RFC 6750 section 3; without the reason, which would tell those that guess how far they are."""


_ELSEWHERE = (
    "this server asks for no key, so it answers to localhost and to addresses only: call it by one of these, or start it with "
    "--access-key-file FILE, or name the proxy before it in trusted_proxies"
)


def bearer(request: aiohttp_web.Request) -> str | None:
    """The token that the client sent (RFC 6750 section 2.1), or None."""
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    token = sent.strip()
    return token if scheme.lower() == "bearer" and token else None


def principal(request: aiohttp_web.Request) -> Principal:
    """Who calls a route that is not public."""
    return request[PRINCIPAL]


def require(authority: Authority, *, proxied: bool = False) -> Middleware:
    """A middleware that lets nobody pass without what their route asks for: ``Authorization: Bearer`` (RFC 6750).

    Where nothing is asked for, the browser must have come to this machine by its own name, unless it is ``proxied``.
    """

    @aiohttp_web.middleware
    async def check(request: aiohttp_web.Request, handler: Handler) -> aiohttp_web.StreamResponse:
        request[REQUEST_ID] = secrets.token_hex(8)
        need = needs.need(request.method, _route(request))
        if need is None:
            return await handler(request)
        if authority.open and not proxied and not is_here(request.headers.get("Host", "")):
            raise Problem(421, _ELSEWHERE)
        try:
            request[PRINCIPAL] = await authority.decide(bearer(request), need, request.match_info.get("stream"), _call(request))
        except Unauthorized as refused:
            raise _problem(refused) from None
        return await handler(request)

    return check


def refuse(request: aiohttp_web.Request, need: Need, reason: str) -> Problem:
    """The refusal, as if the token were wrong, of somebody who has a right but not to this."""
    refused = request.app[AUTHORITY].refused(principal(request), need, request.match_info.get("stream"), _call(request), reason)
    return _problem(refused)


def _problem(refused: Unauthorized) -> Problem:
    advice = "send it as Authorization: Bearer, or open the page with #token= and the token, or #key= and the key"
    return Problem(refused.status, f"{refused}: {advice}", CHALLENGE)


def _route(request: aiohttp_web.Request) -> str | None:
    # By the route that was matched, not by the path that was sent: the two cannot be made to differ.
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def _call(request: aiohttp_web.Request) -> Call:
    name = f"{request.method[:16]} {_route(request) or 'nowhere'}"
    return Call(client(request), name, request[REQUEST_ID], request.method in ("GET", "HEAD"))


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
            client(request),
            request.method,
            path,
            response.status,
            response.body_length,
            time * 1e3,
        )
