"""What a network costs on this machine: time and memory for each device and batch size, kept beside it for admission."""

from __future__ import annotations

import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import quantiles

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from transforms.errors import ModelUnavailable

FILE = "bench.json"

WARM = 3
"""Runs that are not counted: the first ones allocate."""

RUNS = 40
"""Runs that are, at most."""

LEAST = 5
"""And at least, however long they take."""

LIMIT = 8.0
"""s of counted runs for one device and batch size."""

MAX_RESULTS = 1 << 20
"""Bytes of a file of results that is read."""

Run = Callable[[int], object]
"""Runs the network once, for a batch of that size."""

Open = Callable[[torch.device], tuple[str, int, Run]]
"""Loads the network on a device: what runs it, the largest batch that it takes at once, and how to run it."""


class Measurement(BaseModel):
    """One device, one batch size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str
    """``cpu``, ``cuda:0``."""
    hardware: str
    runtime: str
    batch: int
    """Pictures or faces at once."""
    p50_ms: float
    """Of the whole batch."""
    p95_ms: float
    memory_mb: float
    """MB (10^6 bytes) that it holds after running, weights included: of the process on a CPU, of the device on CUDA."""


class Results(BaseModel):
    """What ``bench.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    version: str
    sha256: str
    """Of what was measured: a package's model.toml, or a model's file. Results for another hash do not hold."""
    measured: str
    """When, UTC, ISO 8601."""
    measurements: tuple[Measurement, ...]


def measure(open_network: Open, device: torch.device, batches: Sequence[int], step: Callable[[], object]) -> list[Measurement]:
    """Loads once and runs each batch size that the network takes; ``step`` is told of every run, counted or not.

    Raises what loading raises.
    """
    before = _memory(device)
    runtime, most, run = open_network(device)
    results = []
    for batch in sorted(size for size in set(batches) if size <= most):
        times = []
        begun = time.perf_counter()
        for number in range(WARM + RUNS):
            if number == WARM:
                begun = time.perf_counter()
            if number >= WARM + LEAST and time.perf_counter() - begun > LIMIT:
                break
            start = time.perf_counter()
            run(batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number >= WARM:
                times.append((time.perf_counter() - start) * 1e3)
            step()
        cuts = quantiles(times, n=20, method="inclusive")
        used = max(0.0, (_memory(device) - before) / 1e6)
        facts = {"device": str(device), "hardware": hardware(device), "runtime": runtime, "batch": batch}
        results.append(Measurement(**facts, p50_ms=round(cuts[9], 3), p95_ms=round(cuts[18], 3), memory_mb=round(used, 1)))  # type: ignore[arg-type]
    return results


def devices() -> list[torch.device]:
    """The CPU, and every CUDA device."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [torch.device("cpu"), *(torch.device("cuda", index) for index in range(count))]


def hardware(device: torch.device) -> str:
    """The device's own name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def read(folder: Path, sha256: str) -> Results | None:
    """What was measured here of this very content; None where nothing was."""
    try:
        with (folder / FILE).open("rb") as file:
            results = Results.model_validate_json(file.read(MAX_RESULTS))
    except (OSError, ValidationError):
        return None
    return results if results.sha256 == sha256 else None


def write(folder: Path, results: Results) -> Path:
    """Keeps results beside a network, and those of other devices or batch sizes of before. Raises ModelUnavailable."""
    before = read(folder, results.sha256)
    fresh = {(entry.hardware, entry.device, entry.batch): entry for entry in results.measurements}
    kept = {(entry.hardware, entry.device, entry.batch): entry for entry in (before.measurements if before else ())}
    merged = results.model_copy(update={"measurements": tuple((kept | fresh).values())})
    try:
        with tempfile.NamedTemporaryFile("w", dir=folder.parent, prefix=".measured-", delete=False) as file:
            file.write(merged.model_dump_json(indent=2) + "\n")
        os.chmod(file.name, 0o644)
        os.replace(file.name, folder / FILE)
    except OSError as error:
        raise ModelUnavailable(f"the results cannot be kept in {folder}: {error.strerror}") from error
    return folder / FILE


def _memory(device: torch.device) -> int:
    """Bytes in use: of this process on a CPU, of the whole device on CUDA, where a runtime may have its own."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        free, total = torch.cuda.mem_get_info(device)
        return total - free
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
