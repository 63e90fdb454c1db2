from __future__ import annotations

import pytest

from bench.rude import RudePlan, disappear
from bench.scenarios import soak
from bench.servers import DOPPEL_IMPATIENT, running
from bench.soak import Sample, Soak, SoakPlan
from bench.soak import soak as measured
from bench.vitals import Vitals

IDLE = Vitals(at=0.0, rss_mb=300.0, threads=10, descriptors=12, tasks=3)


def samples(rss_mb: float, threads: int) -> list[Sample]:
    return [Sample(1.0, Vitals(1.0, rss_mb, threads, 16, 9), 30.0, 1) for _ in range(2)]


@pytest.mark.parametrize(
    ("rss_mb", "threads", "flat"), [(405.0, 16, True), (405.0, 18, True), (405.0, 19, False), (413.0, 16, False)]
)
def test_growth_is_told_from_a_guest(rss_mb: float, threads: int, flat: bool) -> None:
    """A stream has two threads here, and by one stream the counts may differ."""
    bar = soak._bar(Soak(IDLE, []), samples(400.0, 16), samples(rss_mb, threads), 600.0)
    assert bar.kept is flat


def test_a_guest_comes_and_goes_beside_a_stream_that_stays() -> None:
    with running(DOPPEL_IMPATIENT) as server:
        plan = SoakPlan(server.origin, server.pid, [server.url("stays")], server.url("guest"), seconds=3.0, interval=0.5)
        found = measured(plan)
        vitals = disappear(RudePlan(server.origin, server.pid, disappearances=2, batch=1))
    assert found.samples[-1].after >= 3.0
    assert found.samples[-1].visits > 0
    assert found.samples[-1].fps > 0
    assert found.idle.tasks < found.samples[-1].vitals.tasks
    assert len(vitals) == 2
    assert vitals[-1].tasks <= found.idle.tasks, "who disappeared leaves nothing behind"
