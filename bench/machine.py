"""Where and with what something was measured: figures mean nothing without it."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("doppel", "aiortc", "aioice", "av", "torch", "uvloop", "numpy")


OUTPUTS = ("--json", "--markdown")


def describe(arguments: list[str]) -> dict[str, str]:
    """What a reader needs to judge the figures, by name."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "-m", "bench", *_measuring(arguments)]),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": sys.version.split()[0],
    } | {name: _version(name) for name in PACKAGES}


def _measuring(arguments: list[str]) -> list[str]:
    """Without where it is written to, which is nobody's business, and nothing to the figures."""
    kept: list[str] = []
    for number, word in enumerate(arguments):
        if word.split("=")[0] in OUTPUTS or (number and arguments[number - 1] in OUTPUTS):
            continue
        kept.append(word)
    return kept


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
