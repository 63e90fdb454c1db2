"""A package's first run, in a process of its own with little memory and little time, before it may come near a stream.

What a network does can only be known by running it: a few bytes can ask for all memory there is, and a damaged file can take
the process that loads it down.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import torch

from transforms.errors import ModelError, ModelRefused, ModelUnavailable
from transforms.packages.manifest import FILE, Manifest, parse
from transforms.packages.model import Installed, Model
from transforms.packages.runner import open_runner

MEMORY = 6 << 30
"""Bytes that loading and one run may take: weights of 1 GiB, held up to three times while they are read, and as much for work."""

TIME = 120
"""s of CPU: fifty times what the slowest known takes to load and run once."""

PATIENCE = 300
"""s by the clock, on a machine that is busy."""

NICENESS = 10
"""It gives way to running streams."""

ANSWER = 1 << 16
"""Bytes that the process may write."""


def run(manifest: Manifest, folder: Path, modules: Collection[str]) -> None:
    """Tries a complete and verified package out. Raises ModelRefused, or ModelUnavailable where what runs it is not installed."""
    command = [sys.executable, "-m", __name__, str(folder), *sorted(modules)]
    # The process finds what this one does, a researcher's own modules among it, and none of the server's secrets.
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("DOPPEL_")}
    surroundings["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=surroundings,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelRefused(f"{manifest.id} was tried out, and took longer than {PATIENCE} s") from error
    if done.returncode == -signal.SIGXCPU:
        raise ModelRefused(f"{manifest.id} was tried out, and took more than {TIME} s of CPU for one picture")
    try:
        answer = json.loads(done.stdout[:ANSWER])
        refused, missing = answer["refused"], answer["missing"]
    except (ValueError, KeyError, TypeError) as error:
        end = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise ModelRefused(
            f"{manifest.id} was tried out, and took its process down ({end}); its weights are damaged, or want more than "
            f"{MEMORY >> 30} GiB"
        ) from error
    if missing:
        raise ModelUnavailable(str(missing))
    if refused:
        raise ModelRefused(str(refused))


def main(folder: Path, modules: Collection[str]) -> dict[str, str | None]:
    """What the process does: loads the network, runs it on grey, and tells what was wrong."""
    os.nice(NICENESS)
    _limit()
    manifest = parse((folder / FILE).read_bytes())
    device = torch.device("cpu")
    try:
        runner = open_runner(manifest, folder, "", device, modules)
        Model(Installed(manifest, folder, ""), runner, device).rehearse()
    except ModelUnavailable as error:
        return {"refused": None, "missing": str(error)}
    except ModelError as error:
        return {"refused": str(error), "missing": None}
    except MemoryError:
        return {"refused": f"{manifest.id} wants more than {MEMORY >> 30} GiB of memory", "missing": None}
    except Exception as error:  # somebody's module, or a runtime's own kind of error
        return {"refused": f"the network of {manifest.id} cannot be run: {type(error).__name__}: {error}", "missing": None}
    return {"refused": None, "missing": None}


def _limit() -> None:
    """Address space beyond what is there already, which is mostly libraries, and CPU time."""
    torch.set_num_threads(1)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (TIME, TIME + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2:])))
