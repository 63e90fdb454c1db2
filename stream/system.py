"""How the process and its devices are doing."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from stream.engine import Engine
from stream.limits import SECOND
from stream.loop_watch import LoopWatch
from stream.streams import Streams
from transforms.models.meter import Usage
from transforms.window import Quantiles

PAGE = os.sysconf("SC_PAGE_SIZE")
"""Bytes."""

STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class DeviceReport:
    name: str
    """``cpu``, ``cuda:0``."""
    hardware: str
    in_use: bool
    """Whether transforms run on it."""
    busy: float | None
    """Of a CPU: cores that this process takes. Of a GPU: share of the time that networks ran, 0 to 1."""
    cores: int | None
    """That the process may use; None of a GPU."""
    memory_used: int
    """Bytes: of the process on a CPU, in torch's hands on a GPU."""
    memory_total: int | None


@dataclass(frozen=True, slots=True)
class SystemReport:
    uptime_s: float
    streams: int
    max_streams: int
    viewers: int
    load_level: int
    """0 while the machine keeps up; what the others mean is in stream/load.py."""
    loop_lag_ms: Quantiles
    """Over the last seconds."""
    devices: Sequence[DeviceReport]
    models: Sequence[Usage]
    """Of all streams together, and of those that have ended."""


class System:
    """Asked on the event loop. ``busy`` is over the time since one asked before, but not under a second."""

    def __init__(self, engine: Engine, streams: Streams, watch: LoopWatch, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._engine = engine
        self._streams = streams
        self._watch = watch
        self._clock = clock
        self._began = self._looked = clock()
        self._hardware = _processor()
        self._cpu_before = time.process_time_ns()
        self._gpu_before: dict[str, float] = {}
        self._busy: dict[str, float] = {}

    def report(self) -> SystemReport:
        models = self._engine.store.meter.snapshot()
        self._look(models)
        return SystemReport(
            uptime_s=round((self._clock() - self._began) / SECOND, 1),
            streams=len(self._streams.names),
            max_streams=self._engine.limits.max_streams,
            viewers=sum(tally.viewers for tally in self._streams.tallies()),
            load_level=self._engine.load.level,
            loop_lag_ms=self._watch.lag.quantiles(),
            devices=[self._processor(), *self._gpus()],
            models=models,
        )

    def _look(self, models: Sequence[Usage]) -> None:
        now = self._clock()
        span = now - self._looked
        if span < SECOND and self._busy:
            return
        self._looked = now
        spent, self._cpu_before = time.process_time_ns() - self._cpu_before, time.process_time_ns()
        self._busy = {"cpu": round(spent / max(span, 1), 3)}
        for device in {usage.device for usage in models} - {"cpu"}:
            total = sum(usage.seconds for usage in models if usage.device == device)
            seconds, self._gpu_before[device] = total - self._gpu_before.get(device, 0.0), total
            self._busy[device] = round(min(1.0, seconds * SECOND / max(span, 1)), 3)

    def _processor(self) -> DeviceReport:
        return DeviceReport(
            name="cpu",
            hardware=self._hardware,
            in_use=self._engine.device.type == "cpu",
            busy=self._busy.get("cpu"),
            cores=len(os.sched_getaffinity(0)),
            memory_used=int(STATM.read_text().split()[1]) * PAGE,
            memory_total=os.sysconf("SC_PHYS_PAGES") * PAGE,
        )

    def _gpus(self) -> Sequence[DeviceReport]:
        # Where no transform uses one, asking would take a GPU's memory for CUDA's own state.
        if self._engine.device.type != "cuda":
            return ()
        return [
            DeviceReport(
                name=f"cuda:{number}",
                hardware=torch.cuda.get_device_name(number),
                in_use=number == (self._engine.device.index or 0),
                busy=self._busy.get(f"cuda:{number}"),
                cores=None,
                memory_used=torch.cuda.memory_reserved(number),
                memory_total=torch.cuda.get_device_properties(number).total_memory,
            )
            for number in range(torch.cuda.device_count())
        ]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
