from __future__ import annotations

import math
import multiprocessing

from bench import bare


def test_the_bare_loop_is_measured_beside_a_load() -> None:
    result = bare.run(2, seconds=1.0, warmup=0.2, client_cores=0.1)
    assert result.peers == 2
    assert result.sent - result.lost == len(result.turns) > 0
    assert 0 < result.p50 <= result.p95 <= result.p99 < math.inf
    assert 100 < result.kbps < 10_000
    assert result.cores > 0
    assert result.client_cores > 0
    assert math.isnan(result.psnr)
    assert not multiprocessing.active_children()
