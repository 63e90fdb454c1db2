"""The report: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bench.outcome import Bar, Cell, Outcome

IMAGES: dict[str, tuple[str, str]] = {
    "turnaround": ("latency.png", "Share of frames that are back within a time, by server"),
    "quality": ("quality.png", "PSNR over bitrate, by server"),
    "overload": ("overload.png", "Turnaround over a minute of overload"),
    "streams": ("streams.png", "p95 of the turnaround over the number of streams"),
    "lossy": ("lossy.png", "Turnaround over time behind a bad line, by line and server"),
    "browser": ("browser.png", "Bitrate that Chromium gives itself, over a minute"),
    "soak": ("soak.png", "Memory of the server over a long run"),
    "rude": ("rude.png", "Memory of the server over peers that disappeared"),
    "floor": ("floor.png", "PSNR over CPU time of encoding, by encoder"),
}
"""A scenario's plot: its file and what it shows."""

OTHERS = "others' CPU"
"""The column that says what everybody else used, in cores."""
QUIET_CORES = 0.25
"""Up to so much, a machine counts as quiet: what a desktop or a monitoring agent uses."""

HEAD = """\
# Benchmarks

Written by `make bench`; don't edit. A bench shares its cores with the servers that it measures, and with whatever else the
machine does: compare figures within one table, which were measured in turns, and take ratios along rather than milliseconds.

How it measures: a client in a process of its own sends a clip of a talking face (1280x720, 30 fps, H.264 constrained baseline
or VP8 at 2.5 Mb/s, a keyframe every 2 s), encoded beforehand, over ICE, DTLS and SRTP on loopback, and keeps what comes back
with the time at which each packet came. Afterwards that is decoded; a barcode in each picture says which frame it is.
CPU is user and system time of the server with all its threads and children; others' CPU is what everything but server and
client used meanwhile.
"""


def markdown(machine: Mapping[str, str], outcomes: Sequence[Outcome], broken: Sequence[str], images: str | None) -> str:
    """The whole page. ``images`` is the folder of the plots as seen from it, or None where there are none."""
    parts = [HEAD, table([{"": name, "value": value} for name, value in machine.items()])]
    if bars := [bar for outcome in outcomes for bar in outcome.bars]:
        parts += ["## Bars\n", bar_table(bars)]
    if warning := disturbance(outcomes):
        parts.append(warning + "\n")
    for outcome in outcomes:
        parts += [f"## {outcome.title}\n", outcome.text + "\n", table(outcome.rows)]
        if images and outcome.name in IMAGES:
            file, shown = IMAGES[outcome.name]
            parts.append(f"![{shown}]({images}/{file})\n")
    if broken:
        parts += ["## Broken\n", "\n".join(f"- {line}" for line in broken) + "\n"]
    return "\n".join(parts)


def document(machine: Mapping[str, str], outcomes: Sequence[Outcome], broken: Sequence[str]) -> str:
    """The same as JSON, with the points of the plots."""
    content = {"machine": machine, "outcomes": [asdict(outcome) for outcome in outcomes], "broken": broken}
    return json.dumps(_finite(content), indent=1) + "\n"


def table(rows: Sequence[Mapping[str, Cell]]) -> str:
    """A Markdown table; numbers to the right, nothing measured as a dash."""
    if not rows:
        return ""
    heads = list(rows[0])
    right = [all(isinstance(row[head], int | float | None) for row in rows) for head in heads]
    lines = [heads, ["--:" if numeric else "---" for numeric in right]]
    lines += [[_cell(row[head]) for head in heads] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def bar_table(bars: Sequence[Bar]) -> str:
    return table([{"promise": bar.promise, "measured": bar.measured, "": "pass" if bar.kept else "FAIL"} for bar in bars])


def disturbance(outcomes: Sequence[Outcome]) -> str:
    """A sentence about what else the machine did, or nothing when it was quiet."""
    others = [float(value) for outcome in outcomes for row in outcome.rows if isinstance(value := row.get(OTHERS), int | float)]
    if max(others, default=0.0) <= QUIET_CORES:
        return ""
    return f"Other programs used up to {max(others):.2f} cores meanwhile: these figures are disturbed. Measure again."


def _cell(value: Cell) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"  # noqa: RUF001 - a dash is meant
    return str(value).replace("|", "\\|").replace("\n", " ")


def _finite(value: object) -> object:
    """JSON knows no NaN, and needs no more than a microsecond of a millisecond."""
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
