"""What a browser sends, second by second: it is the browser's congestion control that decides, by what doppel reports to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bench import clip
from bench.browser import BrowserMissing, Recording, Sample, watch
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.progress import say
from bench.scale import Scale
from bench.servers import DOPPEL, running

TARGET = 1_500_000
"""bit/s, at least."""
FPS_SHARE = 0.9
"""Of 30 fps in each second from the first on, by the count of frames encoded: a second's figure swings by a frame or two."""
SHOWN = (1, 2, 3, 5, 10, 20, 30, 40, 50, 60)
"""Seconds that stand in the table."""


def run(scale: Scale, original: Clip) -> Outcome:
    title = "What Chromium sends"
    with running(DOPPEL) as server:
        try:
            recording = watch(server, original, int(scale.browser_seconds))
        except BrowserMissing as error:
            say(f"  {error}")
            return Outcome("browser", title, f"Left out: {error}.", [])
    first, last = recording.usage
    cores = (last.cpu_s - first.cpu_s) * 1e9 / (last.at - first.at)
    for sample in recording.samples:
        if round(sample.after) in SHOWN:
            say(
                f"  after {sample.after:.1f} s: {sample.width}x{sample.height}, {sample.fps:.0f} fps, "
                f"target {sample.target / 1e6:.2f} Mb/s, limited by {sample.limited or 'nothing'}"
            )
    return Outcome(
        name="browser",
        title=title,
        text=(
            "Headless Chromium with a face in front of its camera, on doppel's page, on the cores of this machine: it encodes "
            f"in software and plays what comes back. By its own statistics; the server used {cores:.2f} cores."
        ),
        rows=[_row(sample) for sample in recording.samples if round(sample.after) in SHOWN],
        bars=[_bar(recording)],
        series={"target, Mb/s": [(sample.after, sample.target / 1e6) for sample in recording.samples]},
    )


def _row(sample: Sample) -> dict[str, Cell]:
    return {
        "s after connecting": round(sample.after, 1),
        "size": f"{sample.width}x{sample.height}",
        "fps": round(sample.fps),
        "target Mb/s": round(sample.target / 1e6, 2),
        "limited by": sample.limited,
    }


def _bar(recording: Recording) -> Bar:
    samples: Sequence[Sample] = recording.samples
    full = [sample for sample in samples if (sample.width, sample.height) == (clip.WIDTH, clip.HEIGHT)]
    paces = [(later.encoded - sample.encoded) / (later.after - sample.after) for sample, later in pairwise(samples)]
    fast = [pace for pace in paces if pace >= FPS_SHARE * clip.FPS]
    rich = [sample for sample in samples if sample.target > TARGET]
    fps = sum(paces) / len(paces) if paces else 0.0
    lowest = min(sample.target for sample in samples) / 1e6
    return Bar(
        f"Chromium from 1 s to {samples[-1].after:.0f} s after connecting: {clip.WIDTH}x{clip.HEIGHT}, {clip.FPS} fps, target "
        f"over {TARGET / 1e6:g} Mb/s",
        f"at full size {len(full)} times of {len(samples)}, at {FPS_SHARE:.0%} of {clip.FPS} fps or more in {len(fast)} seconds "
        f"of {len(paces)} (all in all {fps:.1f} fps), over the target {len(rich)} times (lowest {lowest:.2f} Mb/s)",
        len(full) == len(rich) == len(samples) and len(fast) == len(paces),
    )
