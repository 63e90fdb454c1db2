"""What is measured: one file each, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from bench.clip import Clip
from bench.outcome import Outcome
from bench.scale import Scale
from bench.scenarios import (
    arrival,
    broadcast,
    browser,
    connect,
    floor,
    hostile,
    lossy,
    mqtt,
    overload,
    packets,
    quality,
    rude,
    soak,
    streams,
    takeover,
    transforms,
    turnaround,
    viewers,
)

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
    "broadcast": broadcast.run,
    "viewers": viewers.run,
    "arrival": arrival.run,
    "takeover": takeover.run,
    "hostile": hostile.run,
    "mqtt": mqtt.run,
    "transforms": transforms.run,
    "packets": packets.run,
    "floor": floor.run,
}
