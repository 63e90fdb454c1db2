"""Bad lines: a bottleneck, one that halves for a while, and loss in bursts, as a viewer sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import viewer, viewing
from bench.clip import Clip
from bench.line.script import Impairment, Script
from bench.outcome import Bar, Cell, Outcome
from bench.progress import say
from bench.report import OTHERS
from bench.scale import Scale
from bench.servers import AIORTC, DOPPEL, running
from bench.viewing import Viewing

DELAY_MS = 20.0
"""Each way: a round trip of 40 ms."""
LOSS = 0.02
RATE = 2_000_000
"""bit/s of the way to the viewer. The way from it is not narrow: its clip cannot give way as a browser's camera would."""
QUEUE_MS = 300.0
"""What the bottleneck holds: a home router's."""
BURST = 20
"""Packets in a row."""
BURST_INTERVAL = 5.0
"""s between two bursts; each way has its own, half an interval apart."""
CLEAN = 1.0
"""s after the first packet without loss: what is measured is the stream, not the handshake."""
SEED = 1

TURNAROUND_MS = 60.0
"""p95 above the round trip, at most."""
FREEZE_MS = 300.0
SHARE = 0.75
"""Of the bottleneck, in what comes, at least."""
HALVED_FREEZE_MS = 500.0


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    up: Script
    down: Script
    parts: Sequence[tuple[str, float, float]]
    """Name, begin and end in s from the window's begin."""

    @property
    def seconds(self) -> float:
        return self.parts[-1][2]


def run(scale: Scale, original: Clip) -> Outcome:
    kinds = [DOPPEL, AIORTC] if scale.compare_lossy else [DOPPEL]
    rows: list[dict[str, Cell]] = []
    series: dict[str, list[tuple[float, float]]] = {}
    ours: dict[str, list[Viewing]] = {}
    for line in _lines(scale):
        for kind in kinds:
            with running(kind) as server:
                plan = viewer.Plan(
                    server.url("bench-line"), server.pid, scale.lossy_warmup, line.seconds, line.up, line.down, SEED
                )
                recording = viewer.watch(plan)
            turns = viewing.turnarounds(recording)
            parts = [viewing.evaluate(recording, turns, begin, end) for _, begin, end in line.parts]
            rows += [
                {"line": line.name, "server": kind.name, "part": part, **_row(seen, recording)}
                for (part, _, _), seen in zip(line.parts, parts, strict=True)
            ]
            for (part, _, _), seen in zip(line.parts, parts, strict=True):
                say(
                    f"  {line.name}, {part}, {kind.name}: p50 {seen.p50:.0f} p95 {seen.p95:.0f} ms, {seen.freezes} freezes, "
                    f"longest {seen.longest_ms:.0f} ms, {seen.fps:.1f} fps, {seen.kbps:.0f} kb/s"
                )
            say(f"    packets up {viewing.lost_words(recording.up)}; down {viewing.lost_words(recording.down)}")
            inside = [(at - recording.begin, ms) for at, ms in turns if recording.begin <= at < recording.end]
            series[f"{kind.name}, {line.name}"] = [(after / 1e9, ms) for after, ms in inside]
            if kind is DOPPEL:
                ours[line.name] = parts
    return Outcome(
        name="lossy",
        title="Bad lines",
        text=(
            f"A viewer publishes and watches behind a line of {DELAY_MS:.0f} ms each way. It asks again for what is lost (NACK, "
            "RTX), asks for keyframes (PLI), reports arrivals (transport-cc), as browsers do, and sends and takes repair packets "
            "(flexfec-03), as Chromium takes them. Turnaround is from a picture "
            "being handed to the sender until it is back whole and in order. A freeze is a gap of more than "
            f"{viewing.FREEZE_MS:.0f} ms between two pictures. The line is the same for all, by its seed. "
            f"`bottleneck`: {RATE / 1e6:g} Mb/s to the viewer, {LOSS:.0%} loss each way. `halved`: the same, at half the rate in "
            f"the middle. `5 % and bursts`: no limit of rate, and {BURST} packets in a row lost every {BURST_INTERVAL:.0f} s."
        ),
        rows=rows,
        bars=_bars(ours),
        series=series,
    )


def _lines(scale: Scale) -> list[_Line]:
    begin = scale.lossy_warmup
    third = scale.lossy_seconds / 6
    bad = Impairment(delay=DELAY_MS, loss=LOSS)
    narrow = Impairment(delay=DELAY_MS, loss=LOSS, rate=RATE, queue_ms=QUEUE_MS)
    halved = Impairment(delay=DELAY_MS, loss=LOSS, rate=RATE // 2, queue_ms=QUEUE_MS)
    rough = Impairment(delay=DELAY_MS, loss=0.05)
    bursts = int(scale.lossy_seconds / 2 / BURST_INTERVAL) + 1
    return [
        _Line(
            "bottleneck",
            _from_clean(bad),
            _from_clean(narrow),
            [("all", 0.0, scale.lossy_seconds)],
        ),
        _Line(
            "halved",
            _from_clean(bad),
            Script((*_from_clean(narrow).steps, (begin + third, halved), (begin + 2 * third, narrow))),
            [("before", 0.0, third), ("halved", third, 2 * third), ("after", 2 * third, 3 * third)],
        ),
        _Line(
            "5 % and bursts",
            _from_clean(rough, [(begin + (n + 0.75) * BURST_INTERVAL, BURST) for n in range(bursts)]),
            _from_clean(rough, [(begin + (n + 0.25) * BURST_INTERVAL, BURST) for n in range(bursts)]),
            [("all", 0.0, scale.lossy_seconds / 2)],
        ),
    ]


def _from_clean(impairment: Impairment, drops: Sequence[tuple[float, int]] = ()) -> Script:
    clean = Impairment(delay=impairment.delay, rate=impairment.rate, queue_ms=impairment.queue_ms)
    return Script(((0.0, clean), (CLEAN, impairment)), drops)


def _row(seen: Viewing, recording: viewer.Recording) -> dict[str, Cell]:
    return {
        "p50 ms": round(seen.p50),
        "p95 ms": round(seen.p95),
        "p99 ms": round(seen.p99),
        "fps": round(seen.fps, 1),
        "freezes": seen.freezes,
        "longest gap ms": round(seen.longest_ms),
        "frozen ms": round(seen.frozen_ms),
        "kb/s": round(seen.kbps),
        "kb/s shown": round(seen.shown_kbps),
        "CPU cores": round(recording.cores, 2),
        OTHERS: round(recording.other_cores, 2),
    }


def _bars(ours: dict[str, list[Viewing]]) -> list[Bar]:
    bottleneck, halved = ours["bottleneck"][0], ours["halved"]
    limit = 2 * DELAY_MS + TURNAROUND_MS
    longest = max(part.longest_ms for part in halved)
    return [
        Bar(
            f"{RATE / 1e6:g} Mb/s and {LOSS:.0%} loss: p95 at most the round trip + {TURNAROUND_MS:.0f} ms ({limit:.0f} ms)",
            f"{bottleneck.p95:.0f} ms",
            bottleneck.p95 <= limit,
        ),
        Bar(
            f"The same: no freeze over {FREEZE_MS:.0f} ms", f"{bottleneck.longest_ms:.0f} ms", bottleneck.longest_ms <= FREEZE_MS
        ),
        Bar(
            f"The same: {SHARE:.0%} of the bottleneck used",
            f"{bottleneck.kbps * 1e3 / RATE:.0%}",
            bottleneck.kbps * 1e3 >= SHARE * RATE,
        ),
        Bar(f"Halved and back: no freeze over {HALVED_FREEZE_MS:.0f} ms", f"{longest:.0f} ms", longest <= HALVED_FREEZE_MS),
    ]
