"""A server that runs for long, with somebody coming and going all the while."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.scale import Scale
from bench.servers import DOPPEL, running
from bench.soak import GUEST_SECONDS, Sample, Soak, SoakPlan, soak
from bench.vitals import Vitals

STREAMS = 2
PARTS = 10
"""The second part is compared with the last: minutes, of ten."""
INTERVAL = 5.0
"""s between two looks, and at least one in a part."""
GROWTH = 0.03
"""Of the memory, from the second part to the last, at most: what an allocator's arenas may still move."""


def run(scale: Scale, original: Clip) -> Outcome:
    seconds = scale.soak_seconds
    with running(DOPPEL) as server:
        plan = SoakPlan(
            origin=server.origin,
            server_pid=server.pid,
            urls=[server.url(f"stays-{number}") for number in range(STREAMS)],
            guest_url=server.url("guest", "anonymize" if scale.anonymize else ""),
            seconds=seconds,
            interval=min(INTERVAL, seconds / PARTS / 2),
        )
        found = soak(plan)
    parts = [
        [sample for sample in found.samples if part * seconds / PARTS < sample.after <= (part + 1) * seconds / PARTS]
        for part in range(PARTS)
    ]
    # The last look may come a moment after the end, and one that a busy machine left out is no part of its own.
    parts[-1].append(found.samples[-1])
    return Outcome(
        name="soak",
        title="A long run",
        text=(
            f"{STREAMS} loops at 30 fps for {seconds:.0f} s, and a guest"
            f"{' with `anonymize`' if scale.anonymize else ''} that stays for {GUEST_SECONDS:g} s and is away for "
            f"{GUEST_SECONDS:g} s, again and again: {found.samples[-1].visits} times. Memory is the mean of a part, "
            f"what is counted is its highest; before anybody came: RSS {found.idle.rss_mb:.0f} MB, {found.idle.threads} threads, "
            f"{found.idle.descriptors} descriptors, {found.idle.tasks} tasks."
        ),
        rows=[
            {"until s": round((part + 1) * seconds / PARTS, 1), "looks": len(samples), **_row(samples)}
            for part, samples in enumerate(parts)
            if samples
        ],
        bars=[_bar(found, parts[1] or parts[0], parts[-1], seconds)],
        series={"doppel": [(sample.after, sample.vitals.rss_mb) for sample in found.samples]},
    )


def _row(samples: Sequence[Sample]) -> dict[str, Cell]:
    return {
        "RSS MB": round(_memory(samples), 1),
        "threads": _most(samples, lambda vitals: vitals.threads),
        "descriptors": _most(samples, lambda vitals: vitals.descriptors),
        "tasks": _most(samples, lambda vitals: vitals.tasks),
        "fps each": round(sum(sample.fps for sample in samples) / len(samples), 1),
        "guest's visits": samples[-1].visits,
    }


def _bar(found: Soak, early: Sequence[Sample], late: Sequence[Sample], seconds: float) -> Bar:
    growth = _memory(late) / _memory(early) - 1
    flat = growth < GROWTH
    told = [f"RSS {growth:+.1%}"]
    counts: dict[str, Callable[[Vitals], int]] = {
        "threads": lambda vitals: vitals.threads,
        "descriptors": lambda vitals: vitals.descriptors,
        "tasks": lambda vitals: vitals.tasks,
    }
    for name, count in counts.items():
        before, after = _most(early, count), _most(late, count)
        # The guest may have been caught coming in one part, and not in the other.
        one = (before - count(found.idle)) / (STREAMS + 1)
        flat = flat and after <= before + one
        told.append(f"{name} {before} and {after}")
    return Bar(
        f"{seconds:.0f} s of {STREAMS} streams and a guest: RSS flat within {GROWTH:.0%}, threads, descriptors and tasks within "
        "one stream's",
        ", ".join(told),
        flat,
    )


def _memory(samples: Sequence[Sample]) -> float:
    return sum(sample.vitals.rss_mb for sample in samples) / len(samples)


def _most(samples: Sequence[Sample], count: Callable[[Vitals], int]) -> int:
    return max(count(sample.vitals) for sample in samples)
