"""More and more streams on one server, until latency gives."""

from __future__ import annotations

from bench import runs
from bench.apart import ClientFailed
from bench.clip import Clip
from bench.outcome import Cell, Outcome
from bench.progress import say
from bench.report import OTHERS
from bench.scale import Scale
from bench.servers import AIORTC, DOPPEL, running

LIMITS_MS = {DOPPEL: 50.0, AIORTC: 150.0}
"""p95 at which counting up ends; plain aiortc is at 50 ms with one stream already."""


def run(scale: Scale, original: Clip) -> Outcome:
    rows: list[dict[str, Cell]] = []
    series: dict[str, list[tuple[float, float]]] = {}
    refusals = []
    kinds = [DOPPEL, AIORTC] if scale.compare_streams else [DOPPEL]
    for kind in kinds:
        alone: float | None = None
        with running(kind) as server:
            for count in range(1, scale.max_streams + 1):
                try:
                    result = runs.run(
                        server,
                        original,
                        peers=count,
                        seconds=scale.seconds / 2,
                        warmup=scale.warmup,
                        quality=False,
                    )
                except ClientFailed as error:
                    if count == 1:
                        raise
                    say(f"  {kind.name} x{count}: {error}")
                    refusals.append(f"{kind.name} at {count}: {str(error).splitlines()[0]}")
                    break
                alone = alone or result.rss_mb
                rows.append(
                    {
                        "server": kind.name,
                        "streams": count,
                        "p50 ms": round(result.p50, 1),
                        "p95 ms": round(result.p95, 1),
                        "p99 ms": round(result.p99, 1),
                        "fps each": round(result.fps, 1),
                        "CPU cores": round(result.cores, 2),
                        "RSS MB": round(result.rss_mb),
                        "MB a stream": round((result.rss_mb - alone) / (count - 1), 1) if count > 1 else None,
                        "client's CPU": round(result.client_cores, 2),
                        OTHERS: round(result.other_cores, 2),
                    }
                )
                series.setdefault(kind.name, []).append((float(count), result.p95))
                if result.p95 > LIMITS_MS[kind]:
                    break
    limits = ", ".join(f"{LIMITS_MS[kind]:.0f} ms ({kind.name})" for kind in kinds)
    return Outcome(
        name="streams",
        title="Streams on one server",
        text=(
            "H.264 loops with an empty chain, one more each time, on the cores of this machine, which the client shares; "
            f"until p95 is above {limits}, or {scale.max_streams} are reached. `MB a stream` is the memory above that of one "
            "stream, by stream." + "".join(f" Ended: {refusal}." for refusal in refusals)
        ),
        rows=rows,
        series=series,
    )
