"""Reads what a client sends: so much, so long, of that type, and no more."""

from __future__ import annotations

import asyncio

import aiohttp.web as aiohttp_web

from web.problem import Problem

TIMEOUT = 10.0
"""Seconds for a whole body: 4 MB take 3 s at 10 Mb/s, and who needs longer holds a connection for nothing."""


def require_type(request: aiohttp_web.Request, media_type: str) -> None:
    """Raises a 415 where the client says that the body is something else, or says nothing."""
    if "Content-Type" not in request.headers or request.content_type != media_type:
        accept = "Accept-Patch" if request.method == "PATCH" else "Accept-Post"
        raise Problem(415, f"send the body with Content-Type: {media_type}", {accept: media_type})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(415, "send the body as it is, without Content-Encoding", {"Accept-Encoding": "identity"})


async def read(request: aiohttp_web.Request, limit: int) -> bytes:
    """The body, at most ``limit`` bytes of it. Raises a 413 or a 408."""
    too_large = Problem(413, f"the body is too large; at most {limit // 1024} KB are taken here")
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError as error:
        raise Problem(408, f"the body took longer than {TIMEOUT:.0f} s; send it again in one go") from error
    return bytes(body)
