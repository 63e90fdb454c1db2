"""A chain that is slower than the camera: latency must stay bounded, and the frame rate is what gives."""

from __future__ import annotations

from bench import runs
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.quantiles import quantile
from bench.result import Result
from bench.scale import Scale
from bench.servers import DOPPEL_SLOW, FASTRTC_SLOW, available, running

SERVICE_MS = 60.0
"""What ``slow`` takes for a frame, by its default; at 30 fps one comes every 33 ms."""
SERVICE_TIMES = 3.0
"""p95 of the last part, in service times, at most."""
PART = 6
"""The first and the last sixth are compared: 10 s of a minute."""


def run(scale: Scale, original: Clip) -> Outcome:
    seconds = scale.overload_seconds
    others, missing = available([FASTRTC_SLOW] if "fastrtc" in scale.peers else [])
    rows: list[dict[str, Cell]] = []
    series: dict[str, list[tuple[float, float]]] = {}
    for kind in (*others, DOPPEL_SLOW):
        with running(kind) as server:
            result = runs.run(server, original, chain="slow", seconds=seconds, warmup=scale.warmup, quality=False)
        rows += _parts(kind.name, result)
        series[f"{kind.name}, 60 ms a frame"] = result.turns
    p95 = float(rows[-1]["p95 ms"] or 0.0)
    return Outcome(
        name="overload",
        title="A chain of 60 ms a frame, at 30 fps",
        text=(
            f"One H.264 stream for {seconds:.0f} s through a transform that sleeps {SERVICE_MS:.0f} ms a frame: of two frames "
            "that come, one at most can be shown. fastrtc's handler sleeps as long; what it has not sent back within a second "
            "after the end is not counted." + "".join(f" {line}." for line in missing)
        ),
        rows=rows,
        bars=[
            Bar(
                f"p95 after {seconds:.0f} s at most {SERVICE_TIMES:g} service times ({SERVICE_TIMES * SERVICE_MS:.0f} ms)",
                f"{p95:.1f} ms: {p95 / SERVICE_MS:.2f} service times",
                p95 <= SERVICE_TIMES * SERVICE_MS,
            )
        ],
        series=series,
    )


def _parts(server: str, result: Result) -> list[dict[str, Cell]]:
    seconds = result.seconds
    rows: list[dict[str, Cell]] = []
    for name, begin in (("first", 0.0), ("last", seconds - seconds / PART)):
        ms = [turn for at, turn in result.turns if begin <= at < begin + seconds / PART]
        memory = [mb for at, mb in result.rss if begin <= at <= begin + seconds / PART]
        p95 = quantile(ms, 0.95)
        rows.append(
            {
                "server": server,
                "part": f"{name} {seconds / PART:.0f} s",
                "fps": round(len(ms) * PART / seconds, 1),
                "p50 ms": round(quantile(ms, 0.5), 1),
                "p95 ms": round(p95, 1),
                "p99 ms": round(quantile(ms, 0.99), 1),
                "p95 in service times": round(p95 / SERVICE_MS, 2),
                "RSS MB": round(memory[-1]) if memory else None,
            }
        )
    return rows
