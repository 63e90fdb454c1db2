"""What a server that asks for no key answers to.

Anybody's page may have its own name lead to 127.0.0.1 (DNS rebinding), and would then be of the server's own origin: it could see
whom the camera sees. No such name is an address, or ``localhost``.
"""

from __future__ import annotations

import ipaddress
import re

HOST = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::[0-9]*)?")
"""RFC 9110 section 7.2."""


def is_here(host: str) -> bool:
    """Whether that Host header names this machine, or an address; empty, as only programs send it, it does."""
    read = HOST.fullmatch(host)
    if read is None:
        return False
    name = (read["v6"] or read["name"] or "").lower().removesuffix(".")
    if not name or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
