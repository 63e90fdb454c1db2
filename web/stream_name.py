"""The name of a stream in an address."""

from __future__ import annotations

import re

import aiohttp.web as aiohttp_web

from web.problem import Problem

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def stream_name(request: aiohttp_web.Request) -> str:
    """Of the ``{stream}`` in the route. Raises a 400 where it is none."""
    name = request.match_info["stream"]
    if not _NAME.fullmatch(name):
        raise Problem(400, "a stream's name is 1 to 64 letters, digits, - or _; choose one like that")
    return name
