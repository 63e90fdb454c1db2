"""More and more streams on one server, until latency gives."""

from __future__ import annotations

from bench import bare, clip, runs
from bench.apart import ClientFailed
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.progress import say
from bench.report import OTHERS
from bench.result import Result
from bench.scale import Scale
from bench.scenarios.turnaround import beside
from bench.servers import AIORTC, DOPPEL, FASTRTC, GSTREAMER, STREAMLIT, peers, running

GOOD_MS = 50.0
"""p95 up to which a stream counts as served."""
LIMITS_MS = {DOPPEL: GOOD_MS, GSTREAMER: GOOD_MS, AIORTC: 150.0, FASTRTC: 150.0, STREAMLIT: 150.0}
"""p95 at which counting up ends; plain aiortc, and what is built on it, is near 50 ms with one stream already."""
ANCHOR_STREAMS = 6
"""How many are compared with GStreamer's, besides one; counting does not end before, for these two."""
BARE_SHARE = 0.85
"""Of the streams that the bare codec loop serves, at least."""
FULL_FPS = 0.95 * clip.FPS
"""Frames a second of a stream that is served: who leaves out more is fast, but shows no 30 fps."""
TIMES_FASTRTC = 3
"""Streams with a p95 under GOOD_MS, against fastrtc's, at least."""


def run(scale: Scale, original: Clip) -> Outcome:
    rows: list[dict[str, Cell]] = []
    series: dict[str, list[tuple[float, float]]] = {}
    refusals = []
    found: dict[tuple[str, int], Result] = {}
    others, missing = peers(scale.peers)
    kinds = [DOPPEL, *([AIORTC] if scale.compare_streams else []), *others]
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
                        warmup=scale.streams_warmup,
                        quality=False,
                    )
                except ClientFailed as error:
                    if count == 1:
                        raise
                    say(f"  {kind.name} x{count}: {error}")
                    refusals.append(f"{kind.name} at {count}: {str(error).splitlines()[0]}")
                    break
                found[kind.name, count] = result
                alone = alone or result.rss_mb
                rows.append(_row(kind.name, result, alone))
                series.setdefault(kind.name, []).append((float(count), result.p95))
                if result.p95 > LIMITS_MS[kind] and not (
                    kind in (DOPPEL, GSTREAMER) and GSTREAMER in kinds and count < ANCHOR_STREAMS
                ):
                    break
    ours = [result for (name, _), result in found.items() if name == DOPPEL.name]
    for count in range(1, scale.max_streams + 1):
        # The client's own CPU beside the loop: at the same number of streams, or by that at the largest.
        beside_it = ours[min(count, len(ours)) - 1]
        result = bare.run(
            count,
            seconds=scale.seconds / 2,
            warmup=scale.streams_warmup,
            client_cores=beside_it.client_cores * count / beside_it.peers,
        )
        found[bare.NAME, count] = result
        rows.append(_row(bare.NAME, result, None))
        series.setdefault(bare.NAME, []).append((float(count), result.p95))
        if result.p95 > GOOD_MS:
            break
    limits = ", ".join(f"{LIMITS_MS[kind]:.0f} ms ({kind.name})" for kind in kinds)
    return Outcome(
        name="streams",
        title="Streams on one server",
        text=(
            "H.264 loops with an empty chain, one more each time, on the cores of this machine, which the client shares; "
            f"until p95 is above {limits}, or {scale.max_streams} are reached. `MB a stream` is the memory above that of one "
            "stream, by stream. The bare codec loop is no server: threads that decode the same clip and encode it with doppel's "
            "encoder, beside a process that uses as much CPU as the client did beside doppel; its times are from when a frame "
            f"is due to its being encoded. A stream is served while p95 is under {GOOD_MS:.0f} ms at {FULL_FPS:g} fps or more."
            + "".join(f" Ended: {refusal}." for refusal in refusals)
            + "".join(f" {line}." for line in missing)
        ),
        rows=rows,
        bars=_bars(found),
        series=series,
    )


def _row(name: str, result: Result, alone: float | None) -> dict[str, Cell]:
    """``alone``: the memory that the same server had with one stream."""
    count = result.peers
    return {
        "server": name,
        "streams": count,
        "p50 ms": round(result.p50, 1),
        "p95 ms": round(result.p95, 1),
        "p99 ms": round(result.p99, 1),
        "fps each": round(result.fps, 1),
        "CPU cores": round(result.cores, 2),
        "RSS MB": round(result.rss_mb),
        "MB a stream": round((result.rss_mb - alone) / (count - 1), 1) if alone and count > 1 else None,
        "client's CPU": round(result.client_cores, 2),
        OTHERS: round(result.other_cores, 2),
    }


def _bars(found: dict[tuple[str, int], Result]) -> list[Bar]:
    bars: list[Bar] = []
    anchored = [(found.get((DOPPEL.name, ANCHOR_STREAMS)), found.get((GSTREAMER.name, ANCHOR_STREAMS)))]
    bars += [beside(ours, anchor) for ours, anchor in anchored if ours and anchor]
    served, possible = _served(found, DOPPEL.name), _served(found, bare.NAME)
    bars.append(
        Bar(
            f"Streams with a p95 under {GOOD_MS:.0f} ms: {BARE_SHARE:.0%} of what the bare codec loop allows",
            f"{served} against {possible}",
            served > 0 and served >= BARE_SHARE * possible,
        )
    )
    if (FASTRTC.name, 1) in found:
        theirs = _served(found, FASTRTC.name)
        bars.append(
            Bar(
                f"Streams with a p95 under {GOOD_MS:.0f} ms: at least {TIMES_FASTRTC} x fastrtc's",
                f"{served} against {theirs}",
                served > 0 and served >= TIMES_FASTRTC * theirs,
            )
        )
    return bars


def _served(found: dict[tuple[str, int], Result], name: str) -> int:
    """The most streams of a server, counted up from one, with a good p95 and all their frames."""
    count = 0
    while (result := found.get((name, count + 1))) is not None and result.p95 < GOOD_MS and result.fps >= FULL_FPS:
        count += 1
    return count
