"""What a process and its descendants have used, as /proc tells it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MAX_PROCESSES = 64
"""Processes of one server that are counted: a bound on the walk, far above what one has."""


@dataclass(frozen=True, slots=True)
class Usage:
    at: int
    """Monotonic ns."""
    cpu_s: float
    """User and system time of all threads so far."""
    rss_mb: float
    """Resident memory, MB of 10^6 bytes; pages shared by two processes count twice."""
    machine_s: float
    """CPU time that all processes of the machine used so far."""


def usage(pid: int) -> Usage:
    """Of a running process and its descendants. Raises ProcessLookupError when it is gone."""
    cpu_s, rss_mb = 0.0, 0.0
    waiting, seen = [pid], 0
    while waiting and seen < MAX_PROCESSES:
        current = waiting.pop()
        seen += 1
        try:
            one_cpu_s, one_rss_mb, children = _usage_of_one(current)
        except (FileNotFoundError, ProcessLookupError):
            if current == pid:
                raise ProcessLookupError(f"process {pid} has ended") from None
            continue
        cpu_s, rss_mb = cpu_s + one_cpu_s, rss_mb + one_rss_mb
        waiting.extend(children)
    return Usage(time.monotonic_ns(), cpu_s, rss_mb, _machine_s())


def _machine_s() -> float:
    # The first line: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)); guests are in user already.
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND


def _usage_of_one(pid: int) -> tuple[float, float, list[int]]:
    root = Path("/proc") / str(pid)
    # The second field is a name in brackets that may hold spaces: what follows the last bracket starts with field 3.
    fields = (root / "stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    rss_mb = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    children: list[int] = []
    for task in (root / "task").iterdir():
        try:
            children.extend(int(child) for child in (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
            continue
    return cpu_s, rss_mb, children
