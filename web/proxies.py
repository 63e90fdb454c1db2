"""Who calls, where a reverse proxy stands in between (X-Forwarded-For)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

import aiohttp.web as aiohttp_web
from aiohttp.typedefs import Handler, Middleware

HOPS = 16
"""Addresses that are looked at, the nearest first: nobody has more proxies of his own."""

CLIENT = aiohttp_web.RequestKey("client", str)
"""The address of whoever calls."""


def client(request: aiohttp_web.BaseRequest) -> str:
    """The address of whoever calls, as far as those who say so are trusted; nothing, of a socket without one."""
    noted: str | None = request.get(CLIENT)
    return request.remote or "" if noted is None else noted


def behind(proxies: Sequence[str]) -> Middleware:
    """A middleware that notes who calls. ``proxies`` are addresses and networks whose word counts."""
    trusted = [ipaddress.ip_network(each) for each in proxies]

    @aiohttp_web.middleware
    async def note(request: aiohttp_web.Request, handler: Handler) -> aiohttp_web.StreamResponse:
        request[CLIENT] = _nearest(request.remote or "", request.headers.getall("X-Forwarded-For", ()), trusted)
        return await handler(request)

    return note


def _nearest(peer: str, forwarded: Iterable[str], trusted: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> str:
    """The nearest address that is none of our own proxies': what stands before it, anybody may have written."""
    if not trusted:
        return peer
    nearest = peer
    # RFC 9110 section 5.3: several headers are one list. Each proxy puts whoever called it at its end.
    for word in reversed(",".join(forwarded).split(",")[-HOPS:]):
        if not _within(nearest, trusted):
            break
        try:
            nearest = str(ipaddress.ip_address(word.strip()))
        except ValueError:
            break
    return nearest


def _within(address: str, trusted: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        # A Unix socket: whoever may open it is on this machine.
        return not address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted)
