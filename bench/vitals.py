"""What must not grow in a server, however long it runs and whoever comes and goes."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass

import aiohttp

from bench.process import usage

AFTERWARDS = 0.1
"""s for the server to close the connection that asked it: a descriptor too."""


@dataclass(frozen=True, slots=True)
class Vitals:
    at: float
    """Monotonic s."""
    rss_mb: float
    threads: int
    """The operating system's count, so that those of libraries are in it."""
    descriptors: int
    tasks: int
    """On the event loop, as ``/metrics`` tells."""


async def vitals(pid: int, origin: str, http: aiohttp.ClientSession) -> Vitals:
    """Of a running doppel. Raises ProcessLookupError, ValueError."""
    tasks = await _metric(origin, "doppel_tasks", http)
    await asyncio.sleep(AFTERWARDS)
    memory = usage(pid).rss_mb
    threads, descriptors = (len(os.listdir(f"/proc/{pid}/{name}")) for name in ("task", "fd"))
    return Vitals(time.monotonic(), memory, threads, descriptors, int(tasks))


def session(timeout: float) -> aiohttp.ClientSession:
    """One that keeps no connection open: it would be a descriptor of the server's."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout), connector=aiohttp.TCPConnector(force_close=True, limit=0)
    )


async def _metric(origin: str, name: str, http: aiohttp.ClientSession) -> float:
    async with http.get(f"{origin}/metrics") as response:
        for line in (await response.text()).splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    raise ValueError(f"{origin}/metrics has no {name}")
