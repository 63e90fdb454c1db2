"""A thousand commands in a minute, beside four streams."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bench import steering
from bench.apart import ClientFailed
from bench.client import CONNECT_TIMEOUT, COOLDOWN, START_TIMEOUT, PeerRecording, Plan, record
from bench.clip import Clip
from bench.mosquitto import BrokerMissing, mosquitto
from bench.outcome import Bar, Cell, Outcome
from bench.process import Usage, usage
from bench.progress import say
from bench.quantiles import quantile
from bench.scale import Scale
from bench.servers import DOPPEL, Server, running
from bench.steering import Steered, SteerPlan
from bench.variants import Variant

STREAMS = ("mqtt-1", "mqtt-2", "mqtt-3", "mqtt-4")
SMALL = Variant("H264", 320, 180, 300_000)
"""Four of which leave a small machine the time to serve them all at full rate."""
NODE = "bench"
PARTS = ("without commands", "with commands")
P95_MS = 50.0
SLACK = 15.0
"""s more than planned for which the streams go on: the one who sends commands has to start."""
POLL_INTERVAL = 0.2
"""s between two looks whether all streams are there."""


@dataclass(frozen=True, slots=True)
class Look:
    """At all streams together, and at the server."""

    drops: Counter[str]
    """By reason, so far."""
    total_ms: float
    """p95 of a frame's whole way, of the stream that has the longest."""
    used: Usage


def run(scale: Scale, original: Clip) -> Outcome:
    title = "Commands over MQTT"
    SMALL.frames(original)
    try:
        with mosquitto() as port:
            return _run(scale, title, port)
    except BrokerMissing as error:
        say(f"  {error}")
        return Outcome("mqtt", title, f"Left out: {error}.", [])


def _run(scale: Scale, title: str, port: int) -> Outcome:
    arguments = ("--mqtt-url", f"mqtt://127.0.0.1:{port}", "--mqtt-node", NODE)
    kind = dataclasses.replace(DOPPEL, command=(*DOPPEL.command, *arguments))
    seconds = scale.mqtt_seconds
    with running(kind) as server, ThreadPoolExecutor(1) as thread:
        urls = [server.url(stream, quote(json.dumps(steering.CHAIN))) for stream in STREAMS]
        length = scale.warmup + 2 * seconds + SLACK
        streaming = thread.submit(record, Plan(urls, server.pid, warmup=scale.warmup, seconds=length, variant=SMALL))
        _until_live(server)
        time.sleep(scale.warmup)
        looks = [_look(server)]
        time.sleep(seconds)
        looks.append(_look(server))
        steered = steering.steer(SteerPlan(port, NODE, STREAMS, scale.mqtt_commands, seconds))
        looks.append(_look(server))
        recording = streaming.result(length + CONNECT_TIMEOUT + START_TIMEOUT + COOLDOWN)
        spans = [_fps(recording.peers, looks[at].used.at, looks[at + 1].used.at) for at in range(2)]
    rows = [
        _row(name, before, after, fps)
        for name, (before, after), fps in zip(
            ("without commands", "with commands"), itertools.pairwise(looks), spans, strict=True
        )
    ]
    quiet, busy = looks[1].drops - looks[0].drops, looks[2].drops - looks[1].drops
    say(f"  p95 {quantile(steered.ms, 0.95):.1f} ms; dropped without commands {dict(quiet)}, with commands {dict(busy)}")
    return Outcome(
        name="mqtt",
        title=title,
        text=(
            f"{scale.mqtt_commands} commands in {seconds:g} s through mosquitto on the same machine, to {len(STREAMS)} streams "
            f"of {SMALL.width}x{SMALL.height} in turn, each of which runs `grade`: nine of ten change its vignette, the tenth "
            "sets the whole chain. A command's time is from when it was due to its reply; a stream's from packet to packet, by "
            "the server's own report, over its last 600 frames."
        ),
        rows=rows,
        bars=_bars(scale, steered, quiet, busy),
    )


def _bars(scale: Scale, steered: Steered, quiet: Counter[str], busy: Counter[str]) -> list[Bar]:
    numbers = [number for number, _, _ in steered.answered]
    done = sum(status == 200 for _, _, status in steered.answered)
    p95 = quantile(steered.ms, 0.95)
    wrong = sum(later < earlier for earlier, later in itertools.pairwise(numbers))
    return [
        Bar(
            f"{scale.mqtt_commands} commands in {scale.mqtt_seconds:g} s beside {len(STREAMS)} streams: all answered, in order",
            f"{done} done and answered, {wrong} out of order",
            done == scale.mqtt_commands and numbers == sorted(numbers),
        ),
        Bar(
            f"p95 of replies under {P95_MS:g} ms",
            f"p50 {quantile(steered.ms, 0.5):.1f}, p95 {p95:.1f}, p99 {quantile(steered.ms, 0.99):.1f} ms",
            p95 < P95_MS,
        ),
        Bar(
            "No frame dropped for it",
            f"{busy.total()} dropped with commands ({_told(busy)}), {quiet.total()} without ({_told(quiet)})",
            busy.total() <= quiet.total(),
        ),
    ]


def _told(drops: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(drops.items())) or "none"


def _row(name: str, before: Look, after: Look, fps: float) -> dict[str, Cell]:
    seconds = (after.used.at - before.used.at) / 1e9
    return {
        "part": name,
        "s": round(seconds, 1),
        "fps each": round(fps, 2),
        "dropped": (after.drops - before.drops).total(),
        "stream p95 ms": round(after.total_ms, 1),
        "CPU cores": round((after.used.cpu_s - before.used.cpu_s) / seconds, 3),
        "RSS MB": round(after.used.rss_mb),
    }


def _fps(peers: Sequence[PeerRecording], begin: int, end: int) -> float:
    """Frames that came back in a second, for each stream."""
    came = sum(bool(begin <= at < end and packet[1] & 0x80) for peer in peers for at, packet in peer.packets)
    return float(came * 1e9 / (end - begin) / len(peers))


def _look(server: Server) -> Look:
    reports = _reports(server)
    drops: Counter[str] = Counter()
    for report in reports:
        drops.update(report["drops"])
    slowest = max(report["latency_ms"]["total"]["p95"] for report in reports)
    return Look(drops, slowest, usage(server.pid))


def _reports(server: Server) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{server.origin}/api/streams") as response:
        found: list[dict[str, Any]] = json.load(response)
    return found


def _until_live(server: Server) -> None:
    """Raises ClientFailed."""
    deadline = time.monotonic() + len(STREAMS) * CONNECT_TIMEOUT
    while sum(report["state"] == "live" for report in _reports(server)) < len(STREAMS):
        if time.monotonic() > deadline:
            raise ClientFailed(f"not all of {len(STREAMS)} streams were live in time")
        time.sleep(POLL_INTERVAL)
