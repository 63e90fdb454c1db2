"""What a viewer saw on a bad line: how late, how smoothly, and what the line carried."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.line.line import Counts
from bench.quantiles import quantile
from bench.returned import ReturnedFrame, decode
from bench.viewer import Recording

FREEZE_MS = 150.0
"""A gap between two pictures that a viewer sees as a freeze."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """One part of a recording."""

    seconds: float
    p50: float
    """Turnaround, ms: from the picture being handed to the sender until it is back whole, retransmissions included."""
    p95: float
    p99: float
    fps: float
    """Pictures shown per second."""
    freezes: int
    """Gaps of more than FREEZE_MS between two pictures."""
    longest_ms: float
    """The longest gap between two pictures."""
    frozen_ms: float
    """All freezes together."""
    kbps: float
    """Of payload that came, retransmissions and repair packets included."""
    shown_kbps: float
    """Of the pictures shown."""


def evaluate(recording: Recording, turns: Sequence[tuple[int, float]], begin: float, end: float) -> Viewing:
    """Of the part between two times, in s from the window's begin. ``turns`` are those of ``turnarounds``."""
    first = recording.begin + int(begin * 1e9)
    last = recording.begin + int(end * 1e9)
    seconds = (last - first) / 1e9
    ms = [turn for at, turn in turns if first <= at < last]
    gaps = gaps_ms([arrival for arrival, _ in recording.shown], first, last)
    freezes = [gap for gap in gaps if gap > FREEZE_MS]
    return Viewing(
        seconds=seconds,
        p50=quantile(ms, 0.50),
        p95=quantile(ms, 0.95),
        p99=quantile(ms, 0.99),
        fps=sum(first <= arrival < last for arrival, _ in recording.shown) / seconds,
        freezes=len(freezes),
        longest_ms=max(gaps),
        frozen_ms=sum(freezes),
        kbps=_kbps(recording.octets, first, last),
        shown_kbps=sum(len(data) for arrival, data in recording.shown if first <= arrival < last) * 8e-3 / seconds,
    )


def turnarounds(recording: Recording) -> list[tuple[int, float]]:
    """When each picture that came back was sent, ns, and its turnaround in ms. Raises ValueError when none can be identified."""
    frames = [ReturnedFrame(arrival, data, len(data), True) for arrival, data in recording.shown]
    seen = [(picture.number, picture.arrival) for picture in decode(frames, recording.codec)]
    turns = match(recording.sent, seen)
    if not turns:
        raise ValueError("pictures came back, and none of them could be identified by its barcode")
    return turns


def match(sent: Sequence[tuple[int, int]], shown: Sequence[tuple[int | None, int]]) -> list[tuple[int, float]]:
    """Finds the sending behind each (barcode, arrival): the last one of that barcode before it. A barcode comes again only after
    seconds, also where the publisher went on with another keyframe; a picture that is shown twice counts once.
    """
    times: dict[int, list[int]] = {}
    for number, at in sent:
        times.setdefault(number, []).append(at)
    found: dict[int, float] = {}
    for barcode, arrival in shown:
        if barcode is None:
            continue
        before = [at for at in times.get(barcode, ()) if at <= arrival]
        if before:
            found.setdefault(before[-1], (arrival - before[-1]) / 1e6)
    return sorted(found.items())


def gaps_ms(arrivals: Sequence[int], first: int, last: int) -> list[float]:
    """ms that each picture of a part stood, also those that stand at its begin and at its end, as far as they are within it."""
    inside = [arrival for arrival in arrivals if first <= arrival < last]
    edges = [first, *inside, last]
    return [(after - before) / 1e6 for before, after in itertools.pairwise(edges)]


def lost_words(counts: Counts) -> str:
    """What a line did, in words."""
    parts = [
        f"{counts.lost + counts.lost_in_bursts} lost" if counts.lost or counts.lost_in_bursts else "",
        f"{counts.dropped_by_script} in bursts" if counts.dropped_by_script else "",
        f"{counts.dropped_by_queue} from the queue" if counts.dropped_by_queue else "",
    ]
    return f"{counts.taken}: " + (", ".join(part for part in parts if part) or "none lost")


def _kbps(octets: Sequence[tuple[int, int]], first: int, last: int) -> float:
    inside = [sample for sample in octets if first - 1e8 <= sample[0] <= last + 1e8]
    if len(inside) < 2 or inside[-1][0] == inside[0][0]:
        return math.nan
    return (inside[-1][1] - inside[0][1]) * 8e6 / (inside[-1][0] - inside[0][0])
