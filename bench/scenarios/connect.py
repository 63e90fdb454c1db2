"""How long until something is seen."""

from __future__ import annotations

from bench import runs
from bench.clip import Clip
from bench.outcome import Outcome
from bench.quantiles import quantile
from bench.scale import Scale
from bench.servers import AIORTC, DOPPEL, running

SECONDS = 0.5
"""Each connection is held so long, for the next one to find a server at rest."""


def run(scale: Scale, original: Clip) -> Outcome:
    times: dict[str, list[float]] = {}
    with running(AIORTC) as aiortc, running(DOPPEL) as doppel:
        for _ in range(scale.connects):
            for server in (aiortc, doppel):
                result = runs.run(server, original, seconds=SECONDS, warmup=0.0, quality=False)
                times.setdefault(server.kind.name, []).append(result.connect_ms)
    return Outcome(
        name="connect",
        title="From offer to first frame",
        text="From posting the offer to the last packet of the first frame that comes back: signalling, ICE, DTLS and one turn.",
        rows=[
            {
                "server": name,
                "connections": len(ms),
                "p50 ms": round(quantile(ms, 0.5)),
                "slowest ms": round(max(ms)),
            }
            for name, ms in times.items()
        ],
    )
