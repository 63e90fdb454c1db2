"""Peers that disappear without a word: nothing of them may stay."""

from __future__ import annotations

from bench.clip import Clip
from bench.outcome import Bar, Outcome
from bench.rude import AT_ONCE, RudePlan, disappear
from bench.scale import Scale
from bench.servers import DOPPEL_IMPATIENT, SILENCE_TIMEOUT, running

BATCHES = 10
"""After each, the server is looked at; the first is what the last is compared with."""
GROWTH = 0.05
"""Of the memory, at most: at rest it swings by that, since what an allocator still holds differs each time."""
POOL_THREADS = 2
"""That the server's pools, which grow when much comes at once, may still add; one stream has three of its own."""


def run(scale: Scale, original: Clip) -> Outcome:
    batch = max(AT_ONCE, scale.disappearances // BATCHES)
    with running(DOPPEL_IMPATIENT) as server:
        found = disappear(RudePlan(server.origin, server.pid, scale.disappearances, batch))
    counts = [min((place + 1) * batch, scale.disappearances) for place in range(len(found))]
    first, last = found[0], found[-1]
    growth = last.rss_mb / first.rss_mb - 1
    return Outcome(
        name="rude",
        title="Peers that disappear",
        text=(
            f"{scale.disappearances} peers, {AT_ONCE} at once, that connect, get a frame back, and close their sockets with no "
            f"word to the server (no BYE, no DTLS alert, no DELETE), which gives them up after {SILENCE_TIMEOUT:g} s. "
            "The server at rest, now and then:"
        ),
        rows=[
            {
                "disappeared": count,
                "RSS MB": round(vitals.rss_mb, 1),
                "threads": vitals.threads,
                "descriptors": vitals.descriptors,
                "tasks": vitals.tasks,
            }
            for count, vitals in zip(counts, found, strict=True)
        ],
        bars=[
            Bar(
                f"{scale.disappearances} rude disconnects: RSS flat within {GROWTH:.0%} after the first {batch}, "
                f"descriptors and tasks no more, threads by {POOL_THREADS} of pools at most",
                f"RSS {growth:+.1%}, threads {first.threads} and {last.threads}, "
                f"descriptors {first.descriptors} and {last.descriptors}, tasks {first.tasks} and {last.tasks}",
                growth < GROWTH
                and last.threads <= first.threads + POOL_THREADS
                and last.descriptors <= first.descriptors
                and last.tasks <= first.tasks,
            )
        ],
        series={"doppel": [(float(count), vitals.rss_mb) for count, vitals in zip(counts, found, strict=True)]},
    )
