"""The instrument on a real connection: plain aiortc, which needs nothing of doppel."""

from __future__ import annotations

import pytest

from bench import clip, runs
from bench.apart import ClientFailed
from bench.client import Plan, record
from bench.servers import AIORTC, Kind, ServerFailed, running


def test_measures_a_real_loop() -> None:
    original = clip.load()
    with running(AIORTC) as server:
        result = runs.run(server, original, seconds=2.0, warmup=0.0, remb=1_000_000)
    assert result.sent > 0
    assert len(result.turns) == result.sent - result.lost > 0
    assert 0 < result.p50 <= result.p95 <= result.p99
    assert result.broken == result.unreadable == 0
    assert result.psnr > 30
    assert result.psnr < result.psnr_sent, "a server that re-encodes loses less against what it got than against the original"
    assert result.cores > 0
    assert result.connect_ms > 0


def test_a_refusal_is_told() -> None:
    with running(AIORTC) as server, pytest.raises(ClientFailed, match="answered 404"):
        record(Plan([f"http://127.0.0.1:{server.port}/nothing"], server.pid))


def test_a_server_that_does_not_start_is_told_with_its_last_words() -> None:
    with pytest.raises(ServerFailed, match="No module named"), running(Kind("none", ("bench.peers.nothing",))):
        pass
