"""ICE candidates of peers (RFC 8839 section 5.1): which of them the server can do something with."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aiortc import RTCIceCandidate

from stream.rtc.parameters import Candidate

TYPES = ("host", "srflx", "relay")


def usable(candidates: Iterable[RTCIceCandidate]) -> list[Candidate]:
    """Those of UDP with an IP address; the others are passed over (RFC 9725 section 4.3.2)."""
    return [taken for candidate in candidates if (taken := _take(candidate)) is not None]


def _take(candidate: RTCIceCandidate) -> Candidate | None:
    try:
        address = str(ipaddress.ip_address(candidate.ip))
    except ValueError:
        # mDNS names are not looked up: the browser's own checks tell its address sooner, without any multicast.
        return None
    if candidate.protocol.lower() != "udp" or candidate.component != 1 or candidate.type not in TYPES:
        return None
    if not 0 < candidate.port < 65_536:
        return None
    return Candidate(str(candidate.foundation), 1, int(candidate.priority), address, candidate.port, candidate.type)
