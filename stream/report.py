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
    """"loop", "whip", "rtmp", "file", ..."""
    codec: str
    """"H264", "VP8", ...; empty before the first picture."""
    width: int
    """px; 0 until the first frame was decoded."""
    height: int
    connected_s: float
    packets_lost: int
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class ViewerReport:
    id: str
    protocol: str
    """"loop", "whep"."""
    codec: str
    """Empty for one who only listens."""
    rendition: str
    connected_s: float
    rtt_ms: float | None
    packets_lost: int
    kbps: float
    """Of pictures, as sent to it: retransmissions and repair packets are in it."""
    target_kbps: float | None
    """What its line is thought to carry."""
    dropped: int
    """Pictures that its line was too slow for."""


@dataclass(frozen=True, slots=True)
class RenditionReport:
    name: str
    """"main"; "small", for slow lines; "steady", for recordings and pushes."""
    codec: str
    width: int
    height: int
    fps: float
    kbps: float
    target_kbps: float
    receivers: int


@dataclass(frozen=True, slots=True)
class SoundReport:
    codec: str
    """As it comes in: "OPUS" or "AAC"; "VOICE" while a transform speaks instead."""
    transcoded: bool
    delay_ms: float
    """For which it is held back, to match the pictures."""


@dataclass(frozen=True, slots=True)
class OutputReport:
    id: str
    kind: str
    """"recording" or "rtmp"."""
    state: str
    """"running", "connecting", "waiting", "failed"."""
    target: str
    """File name, or URL without what is secret in it."""
    reason: str
    """Why it is not running; empty where it is."""
    dropped: int = 0
    """Pictures, and packets of sound, that it was too slow for or not there to take."""


@dataclass(frozen=True, slots=True)
class StreamReport:
    stream: str
    state: str
    """"connecting": nothing came yet; "live"; "waiting": the publisher is lost, and viewers are kept; "ending"."""
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
    audience: Sequence[ViewerReport] = ()
    renditions: Sequence[RenditionReport] = ()
    sound: SoundReport | None = None
    outputs: Sequence[OutputReport] = ()
    load_level: int = 0
    """Of the whole process: 0 while the machine keeps up; what the others mean is in stream/load.py."""
