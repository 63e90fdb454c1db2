"""The bench's command line: ``python -m bench --help``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import clip, machine, report
from bench.apart import ClientFailed
from bench.outcome import Outcome
from bench.progress import say
from bench.scale import QUICK, Scale
from bench.scenarios import ALL
from bench.servers import PEERS, ServerFailed

MAX_SECONDS = 600.0
"""A run's measured window, at most: the client keeps every packet in memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything ran, whatever the figures; 1: something is broken, such as a server that does not start."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parsed = _parser().parse_args(given)
    scale = QUICK if parsed.quick else Scale()
    if parsed.seconds:
        scale = dataclasses.replace(scale, seconds=parsed.seconds)
    if parsed.peers is not None:
        scale = dataclasses.replace(scale, peers=tuple(parsed.peers))
    about = machine.describe(given)
    say(f"{about['cores']} cores, {about['processor']}, load {about['load before']} before the start")

    outcomes: list[Outcome] = []
    broken: list[str] = []
    began = time.monotonic()
    try:
        original = clip.load()
        for codec in scale.codecs:
            clip.encoded(codec, original)  # now, not in a client while it measures
    except RuntimeError as error:
        say(str(error))
        return 1
    wanted = {*parsed.names, *(parsed.only or ())}
    chosen = [name for name in ALL if not wanted or name in wanted]
    for place, name in enumerate(chosen, 1):
        say(f"[{place}/{len(chosen)}] {name}")
        try:
            outcomes.append(ALL[name](scale, original))
        except (ServerFailed, ClientFailed, ProcessLookupError, ValueError) as error:
            say(f"  broken: {error}")
            broken.append(f"{name}: {error}")
    say(f"took {time.monotonic() - began:.0f} s")

    for outcome in outcomes:
        print(f"\n{outcome.title}\n\n{report.table(outcome.rows)}")
    if bars := [bar for outcome in outcomes for bar in outcome.bars]:
        print(report.bar_table(bars))
    if warning := report.disturbance(outcomes):
        print(warning)
    if parsed.json:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        parsed.json.write_text(report.document(about, outcomes, broken))
    if parsed.markdown:
        _write_page(parsed.markdown, about, outcomes, broken)
    return 1 if broken else 0


def _write_page(path: Path, about: dict[str, str], outcomes: Sequence[Outcome], broken: Sequence[str]) -> None:
    from bench import plots  # matplotlib takes a second to import, and is needed for nothing else

    images = path.parent / "images"
    for outcome in outcomes:
        plots.draw(outcome, images)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report.markdown(about, outcomes, broken, images.name))
    say(f"wrote {path} and its pictures in {images}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench", description="Measures doppel beside others, on this machine, in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", type=_scenario, help="the same as --only")
    parser.add_argument("--quick", action="store_true", help="a few seconds each: whether everything runs, not how fast")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(ALL), help=f"some of: {', '.join(ALL)}")
    parser.add_argument(
        "--peers",
        nargs="*",
        metavar="PEER",
        choices=list(PEERS),
        help=f"compare with these besides plain aiortc, of {', '.join(PEERS)} (default: all, and none with --quick)",
    )
    parser.add_argument("--seconds", type=_seconds, help=f"measured seconds of a run (default {Scale().seconds:g})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a page, with plots in images/ beside it")
    return parser


def _scenario(text: str) -> str:
    if text not in ALL:
        raise argparse.ArgumentTypeError(f"there is no {text!r}; there are: {', '.join(ALL)}")
    return text


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1.0 <= seconds <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"between 1 and {MAX_SECONDS:g}")
    return seconds
