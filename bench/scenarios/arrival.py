"""How soon a picture that RTMP brings is decoded, and what it costs to bring it."""

from __future__ import annotations

from bench.arriving import Arrived, measure, tags_of
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.progress import say
from bench.quantiles import quantile
from bench.scale import Scale
from bench.variants import Variant

CLIP = Variant("H264", 1920, 1080, 6_000_000)
DECODE_MS = 2.0
"""That p50 may be above that of the decoder alone."""
DEMUX_CORES = 0.01
"""CPU of one stream, at most."""


def run(scale: Scale, original: Clip) -> Outcome:
    frames, many = CLIP.frames(original), scale.arrival_streams
    tags = tags_of(frames)
    found = {
        label: measure(frames, tags, seconds=scale.arrival_seconds, streams=streams, decode=decode)
        for label, streams, decode in (("decoded", 1, True), ("received", 1, False), (f"{many} received", many, False))
        if streams
    }
    for label, arrived in found.items():
        say(f"  {label}: tag p50 {quantile(arrived.tag_ms, 0.5):.2f} ms, loop {arrived.loop_cores:.2%} of a core")
    decoded, alone, together = found["decoded"], found["received"], found.get(f"{many} received")
    p50, bare = quantile(decoded.decoded_ms, 0.5), quantile(decoded.bare_ms, 0.5)
    return Outcome(
        name="arrival",
        title="RTMP's way in",
        text=(
            f"{CLIP.width}x{CLIP.height} at 30 fps, {CLIP.bitrate / 1e6:g} Mb/s, published by a socket in another process, in "
            "chunks of 4096 bytes, to doppel's RTMP server on uvloop. From a picture being handed to the publisher's socket to "
            "its tag being in hand, and to its being decoded in a thread; beside it the same decoder, on the same clock, with "
            "the pictures in memory. CPU is the event loop's thread's alone."
        ),
        rows=[_row(label, arrived) for label, arrived in found.items()],
        bars=[
            Bar(
                f"RTMP arrival to decoded frame: p50 within {DECODE_MS:g} ms of decode alone",
                f"{p50:.1f} ms against {bare:.1f} ms: {p50 - bare:+.1f} ms",
                p50 - bare <= DECODE_MS,
            ),
            Bar(
                f"Demuxing one {CLIP.bitrate / 1e6:g} Mb/s stream on uvloop: at most {DEMUX_CORES:.0%} of a core",
                f"{alone.loop_cores:.2%}" + (f", of {many} streams {together.loop_cores / many:.2%} each" if together else ""),
                alone.loop_cores <= DEMUX_CORES,
            ),
        ],
        series={"decoded": [(float(place), value) for place, value in enumerate(decoded.decoded_ms)]},
    )


def _row(label: str, arrived: Arrived) -> dict[str, Cell]:
    def shown(values: list[float], share: float) -> float | None:
        return round(quantile(values, share), 2) if values else None

    return {
        "streams": label,
        "kb/s each": round(arrived.kbps),
        "tag p50 ms": shown(arrived.tag_ms, 0.5),
        "tag p95 ms": shown(arrived.tag_ms, 0.95),
        "decoded p50 ms": shown(arrived.decoded_ms, 0.5),
        "decoded p95 ms": shown(arrived.decoded_ms, 0.95),
        "decode alone p50 ms": shown(arrived.bare_ms, 0.5),
        "decode alone p95 ms": shown(arrived.bare_ms, 0.95),
        "loop's CPU %": round(arrived.loop_cores * 100, 2),
    }
