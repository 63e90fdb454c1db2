"""Chromium behind a bad line."""

from __future__ import annotations

from bench.line import thread
from bench.line.script import Impairment, Script
from tests.e2e.conftest import Visitor
from tests.e2e.line import put_between

LOSSY = Script(((0.0, Impairment(delay=10)), (1.0, Impairment(delay=10, jitter=5, loss=0.05))))
"""Clean for as long as connecting takes."""

BURST = 20
"""Packets in a row."""


def test_the_picture_goes_on_through_loss_and_bursts(visitor: Visitor) -> None:
    visit = visitor()
    with thread.running(LOSSY, LOSSY, seed=1) as relay:
        put_between(visit.page, relay)
        visit.open().live()
        for _ in range(2):
            relay.drop_next(up=BURST, down=BURST)
            visit.plays_on("after", frames=30)
        up, down = relay.counts
    for counts in (up, down):
        assert counts.delivered > 100, "the media takes the line, and no way past it"
        assert counts.lost > 0
        assert counts.dropped_by_script == 2 * BURST
