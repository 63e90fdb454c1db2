"""How long a frame is away, beside others: the servers take turns in one run."""

from __future__ import annotations

from contextlib import ExitStack

from bench import bare, runs
from bench.clip import Clip
from bench.outcome import Bar, Outcome
from bench.result import Result
from bench.scale import Scale
from bench.servers import AIORTC, DOPPEL, GSTREAMER, peers, running

P50_RATIO = 0.15
"""Of plain aiortc's p50, at most."""
P95_RATIO = 2.5
"""p95 over p50, at most."""
BARE_CPU = 1.25
"""Of the CPU of the bare codec loop, at most."""
ANCHOR_CPU = 1.1
"""Of the CPU of GStreamer's webrtcbin, at most."""


def run(scale: Scale, original: Clip) -> Outcome:
    found: dict[tuple[str, str], list[Result]] = {}
    kinds, missing = peers(scale.peers)
    with ExitStack() as stack:
        aiortc, doppel, *others = [stack.enter_context(running(kind)) for kind in (AIORTC, DOPPEL, *kinds)]
        for codec in scale.codecs:
            chains = [(aiortc, ""), (doppel, "")]
            if scale.anonymize and codec == "H264":
                chains.append((doppel, "anonymize"))
            if codec == "H264":
                chains += [(other, "") for other in others]
            for _ in range(scale.rounds):
                for server, chain in chains:
                    name = f"{server.kind.name}, {chain}" if chain else server.kind.name
                    result = runs.run(
                        server,
                        original,
                        codec=codec,
                        chain=chain,
                        seconds=scale.seconds,
                        warmup=scale.warmup,
                        quality=not chain,
                    )
                    found.setdefault((name, codec), []).append(result)
                if codec == "H264":
                    client = found[DOPPEL.name, codec][-1].client_cores
                    result = bare.run(1, seconds=scale.seconds, warmup=scale.warmup, client_cores=client)
                    found.setdefault((bare.NAME, codec), []).append(result)
    pooled = {key: runs.pool(results) for key, results in found.items()}
    ours, theirs, least = (pooled[name, "H264"] for name in (DOPPEL.name, AIORTC.name, bare.NAME))
    return Outcome(
        name="turnaround",
        title="Turnaround of one stream",
        text=(
            "From the last RTP packet of a frame leaving the client to the last packet of the same frame being back at its "
            "socket; no jitter buffer of the client is in it. The servers run at their start bitrates, through an empty "
            "chain where none is named. The bare codec loop is no server: a thread that decodes the same clip and encodes it "
            "with doppel's encoder at its start bitrate, from the time at which a frame is due to its being encoded; a process "
            "that uses as much CPU as the client stands in for it." + "".join(f" {line}." for line in missing)
        ),
        rows=[runs.row(name, codec, result) for (name, codec), result in pooled.items()],
        bars=[
            Bar(
                f"p50 of an empty chain, H.264, at most {P50_RATIO} x plain aiortc's",
                f"{ours.p50:.1f} ms against {theirs.p50:.1f} ms: {ours.p50 / theirs.p50:.2f} x",
                ours.p50 <= P50_RATIO * theirs.p50,
            ),
            Bar(
                f"p95 at most {P95_RATIO:g} x our own p50",
                f"{ours.p95:.1f} ms against {ours.p50:.1f} ms: {ours.p95 / ours.p50:.2f} x",
                ours.p95 <= P95_RATIO * ours.p50,
            ),
            Bar(
                f"CPU of one stream at most {BARE_CPU} x the bare codec loop's",
                f"{ours.cores:.3f} cores against {least.cores:.3f}: {ours.cores / least.cores:.2f} x",
                ours.cores <= BARE_CPU * least.cores,
            ),
            *([beside(ours, pooled[GSTREAMER.name, "H264"])] if GSTREAMER in kinds else []),
        ],
        series={f"{name}, {codec}": result.turns for (name, codec), result in pooled.items()},
    )


def beside(ours: Result, anchor: Result) -> Bar:
    """doppel and the anchor in C, with the same number of streams."""
    return Bar(
        f"{ours.peers} x 720p30 beside GStreamer's webrtcbin: p50, p95 and p99 no worse, CPU at most {ANCHOR_CPU} x",
        f"{ours.p50:.1f}, {ours.p95:.1f}, {ours.p99:.1f} ms against {anchor.p50:.1f}, {anchor.p95:.1f}, {anchor.p99:.1f} ms; "
        f"{ours.cores / anchor.cores:.2f} x",
        ours.p50 <= anchor.p50 and ours.p95 <= anchor.p95 and ours.p99 <= anchor.p99 and ours.cores <= ANCHOR_CPU * anchor.cores,
    )
