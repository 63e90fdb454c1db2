"""How often one client may call, or one token be sent: a token bucket for each (RFC 9725 section 5 asks for a limit)."""

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
"""Clients remembered, some 200 bytes each. Past that, who called least recently is forgotten, and begins afresh."""

NETWORK = 64
"""Bits of an IPv6 address that count: the rest is each client's own to choose."""


def network(address: str | None) -> str:
    """Which client an address belongs to."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        # A socket without an address, such as a Unix socket's: all of these are one client.
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, NETWORK), strict=False))
    return str(parsed)


class RateLimit:
    """Counts calls of one kind, by client; whatever string stands for one, such as its ``network``."""

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

    def take(self, client: str) -> float:
        """Counts a call; returns 0 if it may be, or else the seconds until one may."""
        tokens, now = self._tokens(client)
        wait = self._wait(tokens)
        self._buckets[client] = (tokens if wait else tokens - 1, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return wait

    def wait(self, client: str) -> float:
        """As ``take``, without counting anything."""
        return self._wait(self._tokens(client)[0])

    def _tokens(self, client: str) -> tuple[float, float]:
        now = self._clock()
        tokens, counted = self._buckets.get(client, (self._burst, now))
        return min(self._burst, tokens + (now - counted) * self._per_second), now

    def _wait(self, tokens: float) -> float:
        return 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
