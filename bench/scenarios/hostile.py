"""Clients that mean harm, beside a stream that is to notice nothing."""

from __future__ import annotations

from bench.besieged import SiegePlan, besiege
from bench.clip import Clip
from bench.hostile import Refusal
from bench.outcome import Bar, Cell, Outcome
from bench.result import evaluate
from bench.scale import Scale
from bench.servers import DOPPEL, running

GROWTH_MB = 2.0
"""Of the server's memory, at most."""


def run(scale: Scale, original: Clip) -> Outcome:
    with running(DOPPEL) as server:
        plan = SiegePlan(
            server.url("besieged"), server.pid, server.port, server.rtmp_port, scale.hostile_rounds, scale.hostile_turns
        )
        siege = besiege(plan)
    result = evaluate(siege.recording, original, quality=False)
    by_name: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in siege.refusals:
        by_name.setdefault((refusal.protocol, refusal.name), []).append(refusal)
    late = [f"{name} ({protocol})" for (protocol, name), found in by_name.items() if not all(one.kept for one in found)]
    growth = siege.rss_mb[-1] - siege.rss_mb[0]
    memory = ", ".join(f"{value:.1f}" for value in siege.rss_mb)
    return Outcome(
        name="hostile",
        title="Hostile clients",
        text=(
            f"All of these at once, {scale.hostile_turns} times, beside a loop at 30 fps. Before, those who are refused at once "
            f"come {scale.hostile_rounds} times, until the allocator has what they make it keep. Memory in MB, then and after "
            f"each turn: {memory}."
        ),
        rows=[_row(protocol, name, found) for (protocol, name), found in by_name.items()],
        bars=[
            Bar(
                "Each hostile client is refused by its deadline",
                f"{len(by_name) - len(late)} of {len(by_name)}" + (f"; not: {', '.join(late)}" if late else ""),
                not late,
            ),
            Bar(
                f"RSS within {GROWTH_MB:g} MB",
                f"{siege.rss_mb[0]:.1f} and {siege.rss_mb[-1]:.1f} MB: {growth:+.1f} MB",
                growth <= GROWTH_MB,
            ),
            Bar(
                "A stream beside them loses no frame",
                f"{result.lost} of {result.sent} lost, p99 {result.p99:.1f} ms",
                result.lost == 0,
            ),
        ],
        series={"turnaround, ms": result.turns},
    )


def _row(protocol: str, name: str, found: list[Refusal]) -> dict[str, Cell]:
    return {
        "to": protocol,
        "client": name,
        "what the server did": found[-1].told or "nothing",
        "after s": round(max(one.seconds for one in found), 2),
        "deadline s": found[0].deadline,
    }
