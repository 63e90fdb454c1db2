"""A publisher that is killed and comes back, each time with another protocol, codec and size, before viewers who stay."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import time
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from bench import clip, flv, lips, watching
from bench.apart import ClientFailed
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.progress import say
from bench.publishing import Plan, Publisher, RtmpPlan, WhipPlan
from bench.scale import Scale
from bench.servers import DOPPEL, Server, running
from bench.variants import FRAMES, Variant
from bench.watching import View, Watched, WatchPlan

STREAM = "takeover"
KINDS = (
    ("WHIP", Variant("H264", 1280, 720, 2_000_000)),
    ("WHIP", Variant("VP8", 640, 360, 1_000_000)),
    ("RTMP", Variant("HEVC", 960, 540, 1_200_000)),
)
VIEWERS = 3
AWAY = (0.2, 1.0, 2.2)
"""s that the publisher is away, by turns; connecting comes on top."""
BACK = 3.0
"""s from its end to its being back, at most."""
STAYS = 3.0
"""s that it publishes."""
COUNTED = 1.0
"""s of that, the last, in which the viewers' pictures are counted."""
PLAYS = 15
"""fps at least of a viewer that plays on, on a machine that others use too."""
SLACK = 3
"""Times what all turns take together, at most: processes start slowly on a busy machine."""
START_TIMEOUT = 60.0
"""s for the viewers' process to start and for all of them to be there."""
POLL_INTERVAL = 0.2
"""s between two questions whether they are."""
AHEAD = 2
"""Publishers' processes that are started before they are needed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One publisher; monotonic ns."""

    kind: str
    killed: int
    """When the one before it was."""
    began: int
    """When the server had let it in."""
    ended: int

    @property
    def away_s(self) -> float:
        return (self.began - self.killed) / 1e9


def run(scale: Scale, original: Clip) -> Outcome:
    with running(DOPPEL) as server, ThreadPoolExecutor(1) as thread, ExitStack() as stack:
        publishers = _publishers(_plans(server, original), scale.takeovers + 1, stack)
        current = next(publishers)
        current.begin()
        enough = multiprocessing.get_context("spawn").Event()
        length = START_TIMEOUT + scale.takeovers * (max(AWAY) + STAYS) * SLACK
        plan = WatchPlan(server.whep(STREAM), server.pid, viewers=VIEWERS, warmup=0.0, seconds=length, keep=True, enough=enough)
        watching_all = thread.submit(watching.watch, plan)
        stack.callback(enough.set)
        _until_watched(server)
        turns: list[Turn] = []
        for number, publisher in enumerate(publishers, 1):
            current.kill()
            killed = time.monotonic_ns()
            time.sleep(AWAY[number % len(AWAY)])
            publisher.begin()
            began = time.monotonic_ns()
            time.sleep(STAYS)
            current = publisher
            turns.append(Turn(_name(number), killed, began, time.monotonic_ns()))
            say(f"  {number} of {scale.takeovers}: {turns[-1].kind}, away for {turns[-1].away_s:.1f} s")
        enough.set()
        return _told(watching_all.result(), turns)


def _until_watched(server: Server) -> None:
    """Waits for all viewers. Raises ClientFailed."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{server.origin}/api/streams/{STREAM}") as response:
            if json.load(response)["viewers"] == VIEWERS:
                return
        time.sleep(POLL_INTERVAL)
    raise ClientFailed(f"not all of {VIEWERS} viewers were there within {START_TIMEOUT:g} s")


def _plans(server: Server, original: Clip) -> Iterator[Plan]:
    made: list[Plan] = []
    for protocol, variant in KINDS:
        frames = variant.frames(original)
        if protocol == "RTMP":
            tags = list(flv.tags(flv.mux(variant.codec, frames, gop=clip.GOP_FRAMES, count=FRAMES)))
            made.append(RtmpPlan(server.rtmp_port, STREAM, tags))
        else:
            made.append(WhipPlan(server.whip(STREAM), "VP8" if variant.codec == "VP8" else "H264", frames))
    return itertools.cycle(made)


def _publishers(plans: Iterator[Plan], count: int, stack: ExitStack) -> Iterator[Publisher]:
    """One after the other, each started early enough to be ready when it is asked for."""
    started: deque[Publisher] = deque()
    for plan in itertools.islice(plans, count):
        started.append(Publisher(plan))
        stack.callback(started[-1].kill)
        if len(started) > AHEAD:
            yield started.popleft().__enter__()
    while started:
        yield started.popleft().__enter__()


def _name(number: int) -> str:
    protocol, variant = KINDS[number % len(KINDS)]
    return f"{protocol} {variant.codec} {variant.width}x{variant.height}"


def _told(watched: Watched, turns: Sequence[Turn]) -> Outcome:
    rows = [_row(turn, watched.views) for turn in turns]
    rates = [_fps(view, turn) for view in watched.views for turn in turns]
    away = [turn.away_s for turn in turns]
    closed = [view.closed for view in watched.views if view.closed]
    read = [number for _, number in lips.numbers(watched.views[0])]
    unreadable = sum(number is None for number in read) / max(1, len(read))
    return Outcome(
        name="takeover",
        title="A publisher that comes back",
        text=(
            f"{len(turns)} times a publisher is killed (SIGKILL), and another takes its stream over, with another protocol, "
            f"codec and size, while {VIEWERS} watch by WHEP. Counted are the pictures of the last {COUNTED:g} s of each "
            f"publisher's {STAYS:g} s. The first viewer's pictures are decoded: of {unreadable:.1%} no barcode could be read."
        ),
        rows=rows,
        bars=[
            Bar(
                f"Publisher killed and back within {BACK:g} s, {len(turns)} times, codec and size changed: every viewer plays on",
                f"away {min(away):.1f} to {max(away):.1f} s; the least that a viewer saw afterwards: {min(rates):.0f} fps",
                max(away) <= BACK and min(rates) >= PLAYS and not closed,
            ),
            Bar(
                "No session renegotiated",
                f"{sum(view.sessions for view in watched.views)} sessions of {VIEWERS} viewers, {len(closed)} of them ended",
                not closed and all(view.sessions == 1 for view in watched.views),
            ),
        ],
        series={"first viewer": [((turn.began - watched.begin) / 1e9, _fps(watched.views[0], turn)) for turn in turns]},
    )


def _row(turn: Turn, views: Sequence[View]) -> dict[str, Cell]:
    first = [next((seen.arrival for seen in view.pictures if seen.arrival > turn.began), None) for view in views]
    gaps = [
        max((after.arrival - before.arrival for before, after in itertools.pairwise(_between(view, turn))), default=0) / 1e9
        for view in views
    ]
    return {
        "publisher": turn.kind,
        "away s": round(turn.away_s, 1),
        "first picture after ms": round(max((at - turn.began) / 1e6 if at else float("nan") for at in first)),
        "longest gap s": round(max(gaps), 2),
        "fps of the slowest viewer": round(min(_fps(view, turn) for view in views), 1),
    }


def _between(view: View, turn: Turn) -> list[watching.Seen]:
    """The last picture before the publisher was killed, and those that came until the turn's end."""
    before = [seen for seen in view.pictures if seen.arrival < turn.killed]
    return before[-1:] + [seen for seen in view.pictures if turn.killed <= seen.arrival < turn.ended]


def _fps(view: View, turn: Turn) -> float:
    """Of the turn's last second."""
    return sum(turn.ended - COUNTED * 1e9 <= seen.arrival < turn.ended for seen in view.pictures) / COUNTED
