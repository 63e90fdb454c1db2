"""Where the media of an SDP description goes, and sending it elsewhere."""

from __future__ import annotations

import ipaddress
import re

Address = tuple[str, int]

_CANDIDATE = re.compile(
    r"^a=candidate:(?P<head>\S+ (?P<component>\d+) (?P<transport>\S+) \d+ )(?P<host>\S+) (?P<port>\d+) typ (?P<type>\S+).*$", re.M
)


def address(sdp: str) -> Address | None:
    """The first IPv4 loopback host candidate over UDP; where there is none, the first of any IPv4 address; None without one."""
    found = [(m["host"], int(m["port"])) for m in _CANDIDATE.finditer(sdp) if _usable(m)]
    return min(found, key=lambda item: not ipaddress.ip_address(item[0]).is_loopback, default=None)


def through(sdp: str, relay: Address) -> str:
    """The description with one candidate in each section that had any: the relay. Any other way past it is gone."""
    lines: list[str] = []
    written = False
    for line in sdp.splitlines():
        if line.startswith("m="):
            written = False
        match = _CANDIDATE.match(line)
        if match is None:
            lines.append(line)
        elif not written and _usable(match):
            lines.append(f"a=candidate:{match['head']}{relay[0]} {relay[1]} typ host")
            written = True
    return "\r\n".join(lines) + "\r\n"


def _usable(match: re.Match[str]) -> bool:
    if match["component"] != "1" or match["transport"].lower() != "udp" or match["type"] != "host":
        return False
    try:
        return ipaddress.ip_address(match["host"]).version == 4
    except ValueError:  # a name that only multicast DNS resolves
        return False
