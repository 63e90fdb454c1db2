"""How often one client may call: a token bucket for each address (RFC 9725 section 5 asks for a limit)."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 60
"""Calls at once: a studio behind one address that starts all its streams and viewers together."""

PER_SECOND = 10.0
"""Calls in the long run: setting a peer up takes some ms of a core, so that one address cannot take more than a tenth of it."""

CLIENTS = 4096
"""Addresses remembered, some 200 bytes each. Past that, who called least recently is forgotten, and begins afresh."""

NETWORK = 64
"""Bits of an IPv6 address that count: the rest is each client's own to choose."""


class RateLimit:
    """Counts calls of one kind."""

    def __init__(
        self,
        burst: int = BURST,
        per_second: float = PER_SECOND,
        clients: int = CLIENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` in seconds."""
        self._burst = float(burst)
        self._per_second = per_second
        self._clients = clients
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client: tokens, and when they were counted; who called last is last."""

    def take(self, address: str | None) -> float:
        """Counts a call; returns 0 if it may be, or else the seconds until one may."""
        now = self._clock()
        client = _client(address)
        tokens, counted = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - counted) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[client] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return wait


def _client(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        # A socket without an address, such as a Unix socket's: all of these are one client.
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, NETWORK), strict=False))
    return str(parsed)
