"""A broadcast: ffmpeg publishes by RTMP, faces are made unrecognisable, and ten watch, with sound."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import clip, flv, lips, watching
from bench.caller import CONNECT_TIMEOUT
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.quantiles import quantile
from bench.report import OTHERS
from bench.scale import Scale
from bench.servers import DOPPEL, Server, ServerFailed, running
from bench.watching import View, Watched, WatchPlan

STREAM = "broadcast"
LOST = 0.005
"""Of a viewer's pictures, at most."""
LIPS_MS = 20.0
"""That lips and voice may be apart."""
LATER_MS = 10.0
"""That pictures may come later at the end than at the beginning."""
GROWTH = 0.03
"""Of the memory, from the second quarter to the last, at most."""
QUARTERS = 4
LEAD = 10.0
"""s that the file is longer than the window: for the stream to begin, and all viewers to be there."""


def run(scale: Scale, original: Clip) -> Outcome:
    length = scale.broadcast_seconds + scale.broadcast_warmup + LEAD + CONNECT_TIMEOUT
    with tempfile.TemporaryDirectory() as folder, running(DOPPEL) as server:
        file = Path(folder) / "broadcast.flv"
        frames = clip.encoded("H264").frames
        file.write_bytes(flv.mux("H264", frames, gop=clip.GOP_FRAMES, count=int(length * clip.FPS), sound=True))
        with published(server, file, f"{STREAM}?chain=anonymize" if scale.anonymize else STREAM):
            plan = WatchPlan(
                server.whep(STREAM),
                server.pid,
                viewers=scale.broadcast_viewers,
                warmup=scale.broadcast_warmup,
                seconds=scale.broadcast_seconds,
                sound=True,
                keep=True,
            )
            watched = watching.watch(plan)
    return _told(watched, scale.anonymize)


@contextmanager
def published(server: Server, file: Path, name: str) -> Iterator[None]:
    """ffmpeg publishes a file in real time, meanwhile. Raises ServerFailed."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise ServerFailed("there is no ffmpeg to publish with; install it")
    command = [ffmpeg, "-v", "error", "-re", "-i", str(file), "-c", "copy", "-f", "flv"]
    target = f"rtmp://127.0.0.1:{server.rtmp_port}/live/{name}"
    process = subprocess.Popen([*command, target], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield
        if process.poll():
            assert process.stderr is not None
            raise ServerFailed(f"ffmpeg ended: {process.stderr.read()[-500:].decode(errors='replace')}")
    finally:
        process.kill()
        process.communicate()


def _told(watched: Watched, anonymize: bool) -> Outcome:
    views = watched.views
    lost = [lost_of(view, watched.begin, watched.end) for view in views]
    worst = max(range(len(views)), key=lambda place: lost[place][0] / lost[place][1])
    delays = [_delays(view, watched) for view in views]
    early, late = ([quantile(quarters[place], 0.5) for quarters in delays] for place in (0, -1))
    later = max(after - before for before, after in zip(early, late, strict=True))
    apart = lips.apart_ms(views[0])
    furthest = max(map(abs, apart), default=float("nan"))
    memory = _memory(watched)
    growth = memory[-1] / memory[1] - 1
    rows: list[dict[str, Cell]] = [
        {
            "viewer": number,
            "pictures": len([seen for seen in view.pictures if watched.begin <= seen.arrival < watched.end]),
            "lost": lost[number - 1][0],
            "packets lost": view.packets_lost,
            "later than the first, ms: p50 early": round(early[number - 1], 1),
            "p50 late": round(late[number - 1], 1),
            "p99": round(quantile([value for quarter in delays[number - 1] for value in quarter], 0.99), 1),
            "CPU cores": round(watched.cores, 2) if number == 1 else None,
            OTHERS: round(watched.other_cores, 2) if number == 1 else None,
        }
        for number, view in enumerate(views, 1)
    ]
    return Outcome(
        name="broadcast",
        title="A broadcast",
        text=(
            "ffmpeg publishes 720p30 H.264 and AAC by RTMP in real time, through "
            f"{'`anonymize`' if anonymize else 'an empty chain'}, to {len(views)} viewers by WHEP with sound, for "
            f"{watched.seconds:.0f} s. ffmpeg tells nobody when it sends, so a picture's delay is counted from that of the "
            "fastest one. Lips and voice are compared each second, by the sender reports, at the first viewer, which keeps all "
            "it gets: a beep begins with the picture that begins a second."
        ),
        rows=rows,
        bars=[
            Bar(
                f"No viewer of {len(views)} loses more than {LOST:.1%} of the frames in {watched.seconds:.0f} s",
                f"the worst {lost[worst][0]} of {lost[worst][1]}: {lost[worst][0] / lost[worst][1]:.2%}",
                all(missing <= LOST * wanted for missing, wanted in lost) and not any(view.closed for view in views),
            ),
            Bar(
                f"Lips and voice within {LIPS_MS:g} ms",
                f"{len(apart)} beeps: p50 {quantile(apart, 0.5):+.1f} ms, furthest {furthest:.1f} ms",
                bool(apart) and furthest <= LIPS_MS,
            ),
            Bar(
                f"Latency flat: p50 of the last quarter within {LATER_MS:g} ms of the first's",
                f"{later:+.1f} ms at the viewer where it grew most",
                later <= LATER_MS,
            ),
            Bar(f"RSS flat within {GROWTH:.0%}", f"{memory[1]:.0f} and {memory[-1]:.0f} MB: {growth:+.1%}", growth <= GROWTH),
        ],
        series={"RSS MB": [((sample.at - watched.begin) / 1e9, sample.rss_mb) for sample in watched.usage]},
    )


def lost_of(view: View, begin: int, end: int) -> tuple[int, int]:
    """Pictures that are missing, and all that should be there, between the first and the last that came in a window."""
    numbers = sorted({round(seen.pts / clip.TICKS) for seen in view.pictures if begin <= seen.arrival < end})
    if not numbers:
        return 1, 1
    wanted = max(numbers[-1] - numbers[0] + 1, int((end - begin) / 1e9 * clip.FPS) - 1)
    return wanted - len(numbers), wanted


def _delays(view: View, watched: Watched) -> list[list[float]]:
    """By quarter, how much later than the fastest of them each picture came, ms."""
    within = [seen for seen in view.pictures if watched.begin <= seen.arrival < watched.end]
    transit = [seen.arrival / 1e6 - seen.pts / 90 for seen in within]
    fastest = min(transit, default=0.0)
    quarters: list[list[float]] = [[] for _ in range(QUARTERS)]
    for seen, value in zip(within, transit, strict=True):
        quarters[min(QUARTERS - 1, (seen.arrival - watched.begin) * QUARTERS // (watched.end - watched.begin))].append(
            value - fastest
        )
    return quarters


def _memory(watched: Watched) -> Sequence[float]:
    """The server's, the mean of each quarter, MB."""
    size = max(1, len(watched.usage) // QUARTERS)
    parts = [watched.usage[place * size : (place + 1) * size] or watched.usage[-1:] for place in range(QUARTERS)]
    return [sum(sample.rss_mb for sample in part) / len(part) for part in parts]
