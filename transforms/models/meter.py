"""What networks cost: how often each runs, how long that takes its device, and how much memory it holds."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transforms.models.runtime import Network

Answer = TypeVar("Answer")

MOST = 256
"""Pairs of model and device that are told apart: more than a process loads; what comes after is counted as "other"."""

PENDING = 32
"""Runs on CUDA whose end was not seen yet: after that, runs go unmeasured until some have ended."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One model on one device, so far."""

    model: str
    device: str
    """``cpu``, ``cuda:0``."""
    runs: int
    seconds: float
    """On the device; on a CPU, of one thread."""
    memory: int
    """Bytes of weights that are loaded now."""


class _Entry:
    def __init__(self, shared: bool, parent: _Entry | None) -> None:
        """``shared``: whoever loads it again gets the same weights."""
        self._shared = shared
        self._parent = parent
        self._lock = threading.Lock()
        self._runs = 0
        self._nanoseconds = 0
        self._size = 0
        self._holders = 0
        self._changes: deque[int] = deque()
        """Of the holders, not yet added: garbage may say so while this very thread has the lock, and so takes none."""

    def ran(self, nanoseconds: int) -> None:
        with self._lock:
            self._runs += 1
            self._nanoseconds += nanoseconds
        if self._parent is not None:
            self._parent.ran(nanoseconds)

    def hold(self, size: int) -> None:
        self._changes.append(1)
        with self._lock:
            self._size = max(self._size, size)
            self._add()
        if self._parent is not None:
            self._parent.hold(size)

    def let_go(self) -> None:
        self._changes.append(-1)
        if self._parent is not None:
            self._parent.let_go()

    def usage(self, model: str, device: str) -> Usage:
        with self._lock:
            self._add()
            copies = min(1, self._holders) if self._shared else self._holders
            return Usage(model, device, self._runs, self._nanoseconds / 1e9, self._size * copies)

    def _add(self) -> None:
        while self._changes:
            self._holders += self._changes.popleft()


class Meter:
    """Counts for one stream, and by its parent for the process. Any thread may use it."""

    def __init__(self, parent: Meter | None = None) -> None:
        self._parent = parent
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], _Entry] = {}

    def stopwatch(self, model: str, device: torch.device, size: int) -> Stopwatch:
        """For a network whose weights have that size, bytes: they count as held for as long as the stopwatch is there."""
        entry = self._entry(model, device)
        stopwatch = Stopwatch(entry, device)
        entry.hold(size)
        weakref.finalize(stopwatch, entry.let_go)
        return stopwatch

    def snapshot(self) -> list[Usage]:
        with self._lock:
            entries = list(self._entries.items())
        return [entry.usage(model, device) for (model, device), entry in entries]

    def _entry(self, model: str, device: torch.device) -> _Entry:
        parent = self._parent._entry(model, device) if self._parent is not None else None
        with self._lock:
            if (model, str(device)) not in self._entries and len(self._entries) >= MOST:
                model = "other"
            # On a CPU each network has packed its weights in its own way.
            return self._entries.setdefault((model, str(device)), _Entry(device.type != "cpu", parent))


class Stopwatch:
    """Times one network's runs: on CUDA by events on the device's own queue, so that the host never waits for them."""

    def __init__(self, entry: _Entry, device: torch.device) -> None:
        self._entry = entry
        self._cuda = device.type == "cuda"
        self._pending: deque[tuple[Any, Any]] = deque()

    def run(self, function: Callable[..., Answer], *inputs: object) -> Answer:
        """What the function answers."""
        if self._cuda:
            return self._run_on_cuda(function, *inputs)
        began = time.perf_counter_ns()
        answer = function(*inputs)
        self._entry.ran(time.perf_counter_ns() - began)
        return answer

    def _run_on_cuda(self, function: Callable[..., Answer], *inputs: object) -> Answer:
        while self._pending and self._pending[0][1].query():
            begin, end = self._pending.popleft()
            self._entry.ran(int(begin.elapsed_time(end) * 1e6))
        if len(self._pending) >= PENDING:
            return function(*inputs)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        answer = function(*inputs)
        end.record()
        self._pending.append((begin, end))
        return answer


class MeasuredNetwork:
    """A network by its stopwatch."""

    def __init__(self, network: Network, stopwatch: Stopwatch) -> None:
        self._network = network
        self._stopwatch = stopwatch
        self.inputs = network.inputs
        self.outputs = network.outputs

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self._stopwatch.run(self._network, *inputs)
