"""What each further viewer of a stream costs the server."""

from __future__ import annotations

from bench import clip, watching
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.progress import say
from bench.publishing import Publisher, WhipPlan
from bench.report import OTHERS
from bench.scale import Scale
from bench.servers import AIORTC_RELAY, DOPPEL_FIXED, FIXED_BITRATE, Kind, running
from bench.watching import Watched, WatchPlan

VIEWER_CORES = 0.015
"""CPU of one more viewer, at most."""
STREAM = "audience"


def run(scale: Scale, original: Clip) -> Outcome:
    frames = clip.encoded("H264").frames
    found: dict[tuple[str, int], Watched] = {}
    for kind, counts in ((DOPPEL_FIXED, scale.viewers), (AIORTC_RELAY, scale.relay_viewers)):
        found |= {(kind.name, count): watched for count, watched in _counted(kind, counts, scale, frames)}
    ours = {count: watched.cores for (name, count), watched in found.items() if name == DOPPEL_FIXED.name}
    theirs = {count: watched.cores for (name, count), watched in found.items() if name == AIORTC_RELAY.name}
    each = _slope(ours)
    beside = f", aiortc's MediaRelay {_slope(theirs):.1%} from {min(theirs)} to {max(theirs)}" if len(theirs) > 1 else ""
    return Outcome(
        name="viewers",
        title="Viewers of one stream",
        text=(
            f"One 720p30 stream, published by WHIP and encoded at {FIXED_BITRATE / 1e6:g} Mb/s, is watched by more and more by "
            "WHEP, all of them in one process. aiortc's MediaRelay hands frames to all, and each viewer's sender encodes them "
            "again, at the bitrate that its own rate control decides."
        ),
        rows=[_row(name, count, watched) for (name, count), watched in found.items()],
        bars=[
            Bar(
                f"CPU of one more viewer from {min(ours)} to {max(ours)}: under {VIEWER_CORES:.1%} of a core",
                f"{each:.2%} of a core{beside}",
                each < VIEWER_CORES,
            )
        ],
        series={
            name: [(float(count), watched.cores) for (other, count), watched in found.items() if other == name]
            for name in dict.fromkeys(name for name, _ in found)
        },
    )


def _counted(kind: Kind, counts: tuple[int, ...], scale: Scale, frames: list[bytes]) -> list[tuple[int, Watched]]:
    if not counts:
        return []
    found: list[tuple[int, Watched]] = []
    with running(kind) as server, Publisher(WhipPlan(server.whip(STREAM), "H264", frames)) as publisher:
        publisher.begin()
        for count in counts:
            plan = WatchPlan(
                server.whep(STREAM), server.pid, viewers=count, warmup=scale.warmup, seconds=max(scale.seconds, count * 0.5)
            )
            watched = watching.watch(plan)
            found.append((count, watched))
            say(f"  {kind.name} x{count}: {watched.cores:.3f} cores (others {watched.other_cores:.2f})")
    return found


def _slope(cores: dict[int, float]) -> float:
    """CPU of one more viewer, between the fewest and the most."""
    few, many = min(cores), max(cores)
    return (cores[many] - cores[few]) / (many - few)


def _row(name: str, count: int, watched: Watched) -> dict[str, Cell]:
    within = [[seen for seen in view.pictures if watched.begin <= seen.arrival < watched.end] for view in watched.views]
    octets = sum(seen.size for pictures in within for seen in pictures)
    return {
        "server": name,
        "viewers": count,
        "CPU cores": round(watched.cores, 3),
        "RSS MB": round(watched.usage[-1].rss_mb),
        "fps each": round(sum(map(len, within)) / watched.seconds / count, 1),
        "fps worst": round(min(map(len, within)) / watched.seconds, 1),
        "kb/s each": round(octets * 8e-3 / watched.seconds / count),
        "viewers' CPU": round(watched.client_cores, 2),
        OTHERS: round(watched.other_cores, 2),
    }
