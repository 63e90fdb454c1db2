from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from stream.limits import LOOP_BEAT, LOOP_HELD, SECOND
from stream.loop_watch import LoopWatch
from stream.metrics import Metrics


def hold_the_loop(released: threading.Event) -> None:
    released.wait(10)


async def test_who_holds_the_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    watch = LoopWatch(Metrics())
    watch.start()
    await asyncio.sleep(LOOP_BEAT / SECOND)
    released = threading.Event()
    # Long enough for the watching thread to have looked, whatever else the machine does.
    timer = threading.Timer(10 * (LOOP_BEAT + LOOP_HELD) / SECOND, released.set)
    timer.start()
    with caplog.at_level(logging.WARNING):
        hold_the_loop(released)
        await asyncio.sleep(LOOP_BEAT / SECOND)
        watch.stop()
    timer.join()
    told = [record.getMessage() for record in caplog.records]
    assert any("hold_the_loop" in line or "test_who_holds_the_loop_is_named" in line for line in told), told


async def test_a_free_loop_is_not_complained_about(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    watch = LoopWatch(metrics, clock=time.monotonic_ns)
    with caplog.at_level(logging.WARNING):
        watch.start()
        await asyncio.sleep(3 * LOOP_BEAT / SECOND)
        watch.stop()
    assert not caplog.records
    assert metrics.registry.get_sample_value("doppel_loop_lag_seconds_count") is not None
