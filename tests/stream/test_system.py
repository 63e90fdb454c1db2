"""How the process and its devices are doing."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import time
from collections.abc import Awaitable, Callable

import torch

from stream.limits import SECOND
from stream.loop_watch import LoopWatch
from stream.system import System, SystemReport
from tests.stream.conftest import House

Open = Callable[..., Awaitable[House]]


class Clock:
    def __init__(self) -> None:
        self.now = 7 * SECOND

    def __call__(self) -> int:
        return self.now


def system(house: House, clock: Clock) -> System:
    return System(house.streams._engine, house.streams, LoopWatch(house.metrics), clock)


def work(seconds: float) -> None:
    """Takes a core for so long."""
    began = time.process_time()
    while time.process_time() - began < seconds:
        torch.ones(64, 64) @ torch.ones(64, 64)


async def test_a_server_without_streams(open_house: Open) -> None:
    house, clock = await open_house(max_streams=5), Clock()
    asked = system(house, clock)
    clock.now += 90 * SECOND
    report = asked.report()
    assert report.uptime_s == 90.0
    assert (report.streams, report.max_streams, report.viewers, report.load_level) == (0, 5, 0, 0)
    (cpu,) = report.devices
    assert (cpu.name, cpu.in_use) == ("cpu", True)
    assert cpu.cores == len(os.sched_getaffinity(0))
    assert cpu.hardware
    assert cpu.memory_total is not None
    assert 10_000_000 < cpu.memory_used < cpu.memory_total
    json.dumps(dataclasses.asdict(report))


async def test_cores_that_it_takes_are_counted_since_it_was_last_asked(open_house: Open) -> None:
    house, clock = await open_house(), Clock()
    asked = system(house, clock)

    def busy() -> float:
        report: SystemReport = asked.report()
        assert report.devices[0].busy is not None
        return report.devices[0].busy

    clock.now += SECOND
    busy()
    work(0.2)
    clock.now += SECOND // 2
    before = busy()
    assert before < 0.2, "it was looked at again within the second"
    clock.now += SECOND // 2
    assert 0.2 <= busy() < 1.0
    clock.now += 100 * SECOND
    assert busy() < 0.1


async def test_its_viewers_and_models(open_house: Open) -> None:
    house = await open_house()
    asked = system(house, Clock())
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(1)
    stopwatch = house.streams._engine.store.meter.stopwatch("a-model", torch.device("cpu"), 4_000)
    stopwatch.run(lambda: None)
    await asyncio.sleep(0)
    report = asked.report()
    assert (report.streams, report.viewers) == (1, 1)
    (usage,) = [usage for usage in report.models if usage.model == "a-model"]
    assert (usage.runs, usage.memory, usage.device) == (1, 4_000, "cpu")
