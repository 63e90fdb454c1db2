"""Reads a file from its publisher's address."""

from __future__ import annotations

import http.client
import time
import urllib.request
from collections.abc import Callable

from transforms.errors import ModelRefused, ModelUnavailable

TIMEOUT = 30.0
"""Seconds to connect, and between two reads."""

DEADLINE = 900.0
"""Seconds for one file in all, so that a trickling server does not hold us for ever."""

CHUNK = 1 << 16
"""Bytes of one read."""


def read_url(url: str, size: int, progress: Callable[[int, int], None] | None = None) -> bytes:
    """The bytes behind an http(s) address, of which there must be ``size``: one more and the reading ends.

    Raises ModelUnavailable where it does not answer, ModelRefused where it answers something of another length.
    """
    ends = time.monotonic() + DEADLINE
    data = bytearray()
    try:
        if not url.startswith(("https://", "http://")):
            raise ModelUnavailable("only http and https addresses are fetched from")
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - the scheme was checked
            while len(data) <= size and (chunk := response.read(min(CHUNK, size + 1 - len(data)))):
                data += chunk
                if progress:
                    progress(len(data), size)
                if time.monotonic() > ends:
                    raise ModelUnavailable(f"it took longer than {DEADLINE:.0f} s")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ModelUnavailable(f"{error}" or type(error).__name__) from error
    if len(data) != size:
        raise ModelRefused(f"it sent {'more' if len(data) > size else 'less'} than the {size} bytes that there should be")
    return bytes(data)
