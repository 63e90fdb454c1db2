"""What is measured: one file each, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from bench.clip import Clip
from bench.outcome import Outcome
from bench.scale import Scale
from bench.scenarios import connect, floor, lossy, overload, quality, streams, turnaround

ALL: dict[str, Callable[[Scale, Clip], Outcome]] = {
    "turnaround": turnaround.run,
    "quality": quality.run,
    "overload": overload.run,
    "streams": streams.run,
    "lossy": lossy.run,
    "connect": connect.run,
    "floor": floor.run,
}
