"""What a scenario hands over: tables, bars, and series to plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Cell = str | int | float | None
Series = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise, and whether it was kept. Told in words; a bench on somebody's busy machine fails nothing."""

    promise: str
    measured: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    title: str
    text: str
    """What was done, and how to read the table: Markdown."""
    rows: Sequence[Mapping[str, Cell]]
    """Each row has the same keys, which are the column heads, with their units."""
    bars: Sequence[Bar] = ()
    series: Mapping[str, Series] = field(default_factory=dict)
    """Points to plot, by label."""
