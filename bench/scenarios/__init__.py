"""What is measured: one file each, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from bench.clip import Clip
from bench.outcome import Outcome
from bench.scale import Scale
from bench.scenarios import browser, connect, floor, lossy, overload, packets, quality, rude, soak, streams, turnaround

ALL: dict[str, Callable[[Scale, Clip], Outcome]] = {
    "turnaround": turnaround.run,
    "quality": quality.run,
    "overload": overload.run,
    "streams": streams.run,
    "lossy": lossy.run,
    "connect": connect.run,
    "browser": browser.run,
    "soak": soak.run,
    "rude": rude.run,
    "packets": packets.run,
    "floor": floor.run,
}
