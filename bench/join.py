"""One page of several runs: ``python -m bench.join first.json second.json --markdown docs/benchmarks.md``.

A whole run takes most of an hour of a machine that does nothing else; in parts it can be had in between. Of a scenario that is in
several, the last counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import report
from bench.outcome import Bar, Outcome
from bench.scenarios import ALL

OF_A_RUN = ("date", "command", "load before")
"""What differs from run to run; the rest is to be the same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: written; 1: the runs are of different machines or versions."""
    parser = argparse.ArgumentParser("python -m bench.join", description="Makes one page of several runs' JSON.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="JSON", help="what --json wrote")
    parser.add_argument("--markdown", type=Path, required=True, metavar="FILE", help="the page, with plots in images/ beside it")
    parsed = parser.parse_args(arguments)
    runs = [json.loads(path.read_text()) for path in parsed.runs]
    same, machine = runs[0]["machine"], joined([run["machine"] for run in runs])
    for run in runs[1:]:
        differing = [name for name in same if name not in OF_A_RUN and run["machine"].get(name) != same[name]]
        if differing:
            print(f"the runs are not of one machine and version: {', '.join(differing)} differ", file=sys.stderr)
            return 1
    found = {outcome.name: outcome for run in runs for outcome in map(read, run["outcomes"])}
    outcomes = [found[name] for name in ALL if name in found]
    from bench import plots  # matplotlib takes a second to import

    images = parsed.markdown.parent / "images"
    for outcome in outcomes:
        plots.draw(outcome, images)
    parsed.markdown.write_text(report.markdown(machine, outcomes, [], images.name))
    return 0


def joined(machines: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """One table of all: what differs from run to run, one after the other."""
    return {
        name: "; ".join(machine[name] for machine in machines) if name in OF_A_RUN else value
        for name, value in machines[0].items()
    }


def read(written: Mapping[str, Any]) -> Outcome:
    """An outcome as ``report.document`` wrote it."""
    return Outcome(
        name=written["name"],
        title=written["title"],
        text=written["text"],
        rows=written["rows"],
        bars=[Bar(**bar) for bar in written["bars"]],
        series={label: [(float(x), float(y)) for x, y in points] for label, points in written["series"].items()},
    )


if __name__ == "__main__":
    sys.exit(main())
