"""Refusals as problem details (RFC 9457)."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping

import aiohttp.web as aiohttp_web

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 5
"""Seconds that a client is told to wait where nobody knows better."""


class Problem(Exception):
    """Raised by a handler; becomes the response."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def respond(status: int, detail: str, headers: Mapping[str, str] | None = None) -> aiohttp_web.Response:
    """A problem of the type "about:blank": the status says which kind it is, ``detail`` what to do about it."""
    sentence = detail[:1].upper() + detail[1:]
    if not sentence.endswith((".", "!", "?")):
        sentence += "."
    body = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": sentence}
    # Errors are not to be kept by a cache: most of them pass.
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        sent.setdefault("Retry-After", str(RETRY_AFTER))
    return aiohttp_web.Response(status=status, body=json.dumps(body).encode(), content_type=MEDIA_TYPE, headers=sent)
