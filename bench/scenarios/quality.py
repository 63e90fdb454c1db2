"""What the picture is worth and what it costs, at equal bitrates."""

from __future__ import annotations

from bench import runs
from bench.clip import Clip
from bench.outcome import Bar, Outcome
from bench.result import Result
from bench.scale import Scale
from bench.servers import AIORTC, DOPPEL, running

CPU_RATIO = 0.4
"""Of plain aiortc's CPU, at most, ..."""
PSNR_MARGIN = 1.5
"""... at no more than so many dB under its PSNR."""


def run(scale: Scale, original: Clip) -> Outcome:
    found: dict[tuple[int, str], list[Result]] = {}
    with running(AIORTC) as aiortc, running(DOPPEL) as doppel:
        for bitrate in scale.bitrates:
            for _ in range(scale.rounds):
                for server in (aiortc, doppel):
                    result = runs.run(server, original, seconds=scale.seconds, warmup=scale.warmup, remb=bitrate)
                    found.setdefault((bitrate, server.kind.name), []).append(result)
    pooled = {key: runs.pool(results) for key, results in found.items()}
    bars = []
    for bitrate in scale.bitrates:
        ours, theirs = pooled[bitrate, DOPPEL.name], pooled[bitrate, AIORTC.name]
        bars.append(
            Bar(
                f"At {bitrate / 1e6:g} Mb/s: CPU at most {CPU_RATIO} x plain aiortc's, PSNR within {PSNR_MARGIN} dB of its own",
                f"{ours.cores:.3f} cores against {theirs.cores:.3f}: {ours.cores / theirs.cores:.2f} x; "
                f"{ours.psnr:.2f} dB against {theirs.psnr:.2f}: {ours.psnr - theirs.psnr:+.2f} dB",
                ours.cores <= CPU_RATIO * theirs.cores and ours.psnr >= theirs.psnr - PSNR_MARGIN,
            )
        )
    return Outcome(
        name="quality",
        title="Quality and CPU at equal bitrates",
        text=(
            "The client reports by REMB what it can take, so both servers aim at the same bitrate. H.264. "
            "PSNR is of the luma, against the clip before the client encoded it, and against what the server got."
        ),
        rows=[
            {"target Mb/s": bitrate / 1e6} | runs.row(name, "H264", result) | {"fps": round(result.fps, 1)}
            for (bitrate, name), result in pooled.items()
        ],
        bars=bars,
        series={
            name: [(pooled[bitrate, name].kbps, pooled[bitrate, name].psnr) for bitrate in scale.bitrates]
            for name in (AIORTC.name, DOPPEL.name)
        },
    )
