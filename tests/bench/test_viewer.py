"""The viewer on a real connection behind a bad line: plain aiortc answers its requests, and makes some itself."""

from __future__ import annotations

import pytest

from bench import viewer, viewing
from bench.apart import ClientFailed
from bench.line.script import Impairment, Script, steady
from bench.servers import AIORTC, running


def test_watches_through_loss() -> None:
    lossy = Script(((0.0, Impairment(delay=5)), (0.5, Impairment(delay=5, loss=0.05))))
    with running(AIORTC) as server:
        recording = viewer.watch(viewer.Plan(server.url("line"), server.pid, begin=1.0, seconds=2.0, up=lossy, down=lossy))
    assert recording.up.lost > 0
    assert recording.down.lost > 0
    turns = viewing.turnarounds(recording)
    assert len(turns) > 5, "most pictures come back whole, though one in two has lost a packet on its way"
    assert min(ms for _, ms in turns) >= 10.0, "the line takes 5 ms each way"
    assert viewing.evaluate(recording, turns, 0.0, 2.0).kbps > 0


def test_a_line_that_is_cut_off_is_told() -> None:
    cut = steady(Impairment(loss=1.0))
    with running(AIORTC) as server:
        plan = viewer.Plan(server.url("cut"), server.pid, up=cut, down=cut, patience=1.0)
        with pytest.raises(ClientFailed, match="no picture came back within 1 s"):
            viewer.watch(plan)
