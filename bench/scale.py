"""How long and how often things are measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    seconds: float = 12.0
    """The measured window of one run: more than the loop's 10 s, so that every picture is in it."""
    warmup: float = 2.0
    """s before it, for rate control to settle."""
    rounds: int = 2
    """Times that servers take turns, so that a slow spell of the machine hits all of them."""
    codecs: tuple[str, ...] = ("H264", "VP8")
    bitrates: tuple[int, ...] = (1_000_000, 2_000_000)
    """bit/s at which quality is compared."""
    overload_seconds: float = 60.0
    lossy_seconds: float = 60.0
    """On the narrow line; the two others take half of it."""
    lossy_warmup: float = 6.0
    """s before that: rate control may take 5 s of a connection."""
    compare_lossy: bool = True
    """Whether plain aiortc's viewer is behind the same lines too."""
    peers: tuple[str, ...] = ("fastrtc", "streamlit-webrtc", "gstreamer")
    """Servers to compare with beside plain aiortc, where they can be had."""
    max_streams: int = 8
    streams_warmup: float = 5.0
    """s before each count of streams: a busy machine's load level takes 2 s a step."""
    compare_streams: bool = True
    """Whether plain aiortc's streams are counted up too."""
    connects: int = 10
    floor_frames: int = 300
    soak_seconds: float = 600.0
    disappearances: int = 500
    browser_seconds: float = 60.0
    packet_pictures: int = 1500
    packet_rounds: int = 5
    transform_frames: int = 240
    """Of each transform and device: four turns of the face's way."""
    anonymize: bool = True
    """Whether the turnaround of a real transform is measured too, and what is broadcast goes through it."""
    viewers: tuple[int, ...] = (1, 5, 10, 20)
    """Of one stream."""
    relay_viewers: tuple[int, ...] = (1, 2, 3)
    """Of aiortc's MediaRelay, which serves no more on two cores."""
    broadcast_seconds: float = 300.0
    broadcast_warmup: float = 10.0
    """s before that: the models are loaded, and the allocator has what it needs."""
    broadcast_viewers: int = 10
    arrival_seconds: float = 20.0
    arrival_streams: int = 8
    """RTMP streams that are received at once too; 0: one is enough."""
    takeovers: int = 20
    hostile_rounds: int = 12
    """Times that the hostile clients who are refused at once come beforehand, until the allocator has what they make it keep."""
    hostile_turns: int = 3
    """Times that all of them come."""
    mqtt_commands: int = 1000
    mqtt_seconds: float = 60.0
    """For all of them; and as long before it without any, to compare with."""


QUICK = Scale(
    seconds=2.0,
    warmup=0.3,
    rounds=1,
    codecs=("H264",),
    bitrates=(1_000_000,),
    overload_seconds=3.0,
    lossy_seconds=3.0,
    lossy_warmup=2.0,
    compare_lossy=False,
    peers=(),
    max_streams=2,
    streams_warmup=0.3,
    compare_streams=False,
    connects=1,
    floor_frames=20,
    soak_seconds=5.0,
    disappearances=16,
    browser_seconds=5.0,
    packet_pictures=100,
    packet_rounds=1,
    transform_frames=10,
    anonymize=False,
    viewers=(1, 2),
    relay_viewers=(),
    broadcast_seconds=4.0,
    broadcast_warmup=0.5,
    broadcast_viewers=2,
    arrival_seconds=2.0,
    arrival_streams=0,
    takeovers=2,
    hostile_rounds=1,
    hostile_turns=1,
    mqtt_commands=50,
    mqtt_seconds=3.0,
)
"""Whether everything still runs, in two minutes; its figures mean little."""
