"""The report's pictures: on white, which can be read on a dark page too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bench.outcome import Outcome, Series
from bench.report import IMAGES

SIZE = (8.0, 4.2)
"""Inches, at DPI."""
DPI = 110
FRAME_MS = 1000 / 30


def draw(outcome: Outcome, folder: Path) -> None:
    """Writes the picture of a scenario that has one."""
    if outcome.name not in IMAGES or not any(outcome.series.values()):
        return
    figure, axes = plt.subplots(figsize=SIZE, dpi=DPI, facecolor="white", layout="constrained")
    _DRAWN[outcome.name](axes, outcome)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    axes.set_title(outcome.title, loc="left", fontsize=11)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / IMAGES[outcome.name][0], metadata={"Software": None})
    plt.close(figure)


def _turnaround(axes: Axes, outcome: Outcome) -> None:
    for label, points in outcome.series.items():
        ordered = sorted(ms for _, ms in points)
        shares = [100 * (rank + 1) / len(ordered) for rank in range(len(ordered))]
        axes.plot(ordered, shares, label=label, linestyle=_style(label), linewidth=1.8)
    axes.axvline(FRAME_MS, color="0.6", linewidth=0.8, linestyle=":")
    axes.text(FRAME_MS * 0.98, 97, "one frame interval", ha="right", color="0.45", fontsize=8)
    axes.set_xscale("log")
    axes.set_xticks([5, 10, 20, 50, 100, 200], ["5", "10", "20", "50", "100", "200"])
    axes.minorticks_off()
    axes.set_xlabel("turnaround, ms")
    axes.set_ylabel("frames back, %")


def _quality(axes: Axes, outcome: Outcome) -> None:
    _lines(axes, outcome, "kb/s that came back", "luma PSNR, dB")


def _overload(axes: Axes, outcome: Outcome) -> None:
    for label, points in outcome.series.items():
        axes.plot(*zip(*points, strict=True), ".", markersize=3, label=label)
    axes.axhline(60, color="0.6", linewidth=0.8, linestyle=":")
    axes.text(0, 57, "one service time", color="0.45", fontsize=8, va="top")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("s")
    axes.set_ylabel("turnaround, ms")


def _streams(axes: Axes, outcome: Outcome) -> None:
    _lines(axes, outcome, "streams", "p95 of the turnaround, ms")
    # Who has too many is seconds late: on a straight axis all that matters would lie on the ground.
    axes.set_yscale("log")
    axes.axhline(50, color="0.6", linewidth=0.8, linestyle=":")
    axes.text(axes.get_xlim()[1], 52, "served, up to here", color="0.45", fontsize=8, va="bottom", ha="right")
    ticks = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    axes.set_yticks(ticks, [f"{ms}" for ms in ticks])
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _lossy(axes: Axes, outcome: Outcome) -> None:
    for label, points in outcome.series.items():
        if points:
            axes.plot(*_columns(points), ".", markersize=3, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("s")
    axes.set_ylabel("turnaround, ms")


def _browser(axes: Axes, outcome: Outcome) -> None:
    _lines(axes, outcome, "s after connecting", "target, Mb/s")
    _from_zero(axes)


def _soak(axes: Axes, outcome: Outcome) -> None:
    for label, points in outcome.series.items():
        axes.plot(*_columns(points), label=label, linewidth=1.8)
    _from_zero(axes)
    axes.set_xlabel("s")
    axes.set_ylabel("RSS, MB")


def _rude(axes: Axes, outcome: Outcome) -> None:
    _lines(axes, outcome, "peers that disappeared", "RSS, MB")
    _from_zero(axes)


def _floor(axes: Axes, outcome: Outcome) -> None:
    _lines(axes, outcome, "CPU a frame for encoding, ms", "luma PSNR, dB")


def _from_zero(axes: Axes) -> None:
    """With room above, however flat the line is."""
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])


def _lines(axes: Axes, outcome: Outcome, across: str, up: str) -> None:
    for label, points in outcome.series.items():
        axes.plot(*_columns(points), "o-", label=label, linewidth=1.8)
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _columns(points: Series) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _style(label: str) -> str:
    return "--" if "VP8" in label else "-"


_DRAWN: dict[str, Callable[[Axes, Outcome], None]] = {
    "turnaround": _turnaround,
    "quality": _quality,
    "overload": _overload,
    "streams": _streams,
    "lossy": _lossy,
    "browser": _browser,
    "soak": _soak,
    "rude": _rude,
    "floor": _floor,
}
