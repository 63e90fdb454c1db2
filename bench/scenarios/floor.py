"""What the codecs alone cost."""

from __future__ import annotations

from bench.clip import Clip
from bench.floor import ENCODERS, measure
from bench.outcome import Cell, Outcome
from bench.progress import say
from bench.scale import Scale


def run(scale: Scale, original: Clip) -> Outcome:
    rows: list[dict[str, Cell]] = []
    series: dict[str, list[tuple[float, float]]] = {}
    for bitrate in scale.bitrates:
        for name in ENCODERS:
            floor = measure(name, bitrate, original, scale.floor_frames)
            say(
                f"  {name} at {bitrate / 1e6:g} Mb/s: encode {floor.encode_ms:.1f} ms, {floor.psnr:.1f} dB, {floor.kbps:.0f} kb/s"
            )
            series.setdefault(name, []).append((floor.encode_ms, floor.psnr))
            rows.append(
                {
                    "encoder": name,
                    "target Mb/s": bitrate / 1e6,
                    "encode ms": round(floor.encode_ms, 2),
                    "decode ms": round(floor.decode_ms, 2),
                    "kb/s": round(floor.kbps),
                    "PSNR dB": round(floor.psnr, 2),
                }
            )
    return Outcome(
        name="floor",
        title="The codec floor",
        text=(
            f"{scale.floor_frames} frames of the clip through encoder and decoder with nothing around them; milliseconds of CPU "
            "a frame, all threads together. No server that re-encodes can be cheaper."
        ),
        rows=rows,
        series=series,
    )
