"""What a stream tells of itself: frozen snapshots, made on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.chain import StepReport
from transforms.window import Quantiles

STAGES = ("decode", "wait", "chain", "encode", "send", "total")
"""decode: last packet received -> decoded, waiting for the decoder included; wait: -> taken from the newest-wins slot;
chain: -> transformed; encode: -> encoded, waiting for the encoder included; send: -> given to the pacer,
which on a free line sends at once; total: all."""


@dataclass(frozen=True, slots=True)
class PublisherReport:
    protocol: str
    """"loop"; later "whip", "rtmp"."""
    codec: str
    """"H264" or "VP8"."""
    width: int
    """px; 0 until the first frame was decoded."""
    height: int
    connected_s: float
    packets_lost: int
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class StreamReport:
    stream: str
    state: str
    """"connecting", "live" or "ending"."""
    chain: Sequence[StepReport]
    publisher: PublisherReport | None
    viewers: int
    fps_in: float
    fps_out: float
    kbps_in: float
    kbps_out: float
    latency_ms: Mapping[str, Quantiles]
    """By stage (STAGES)."""
    drops: Mapping[str, int]
    """Frames dropped so far, by reason."""
    width_out: int
    height_out: int
    codec_out: str
    load_level: int = 0
    """Of the whole process: 0 while the machine keeps up; what the others mean is in stream/load.py."""
