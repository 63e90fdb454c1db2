"""What one stream has counted since it began: cheap to take, for those who ask every second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.models.meter import Usage


@dataclass(frozen=True, slots=True)
class StageTally:
    """Frames that went through a stage, or a transform, and the time that took in all."""

    frames: int
    nanoseconds: int
    errors: int = 0
    """Frames that passed without it, of a transform."""


@dataclass(frozen=True, slots=True)
class StreamTally:
    """Counters only ever grow while the stream is there."""

    stream: str
    state: str
    """As in StreamReport."""
    pictures_in: int
    bytes_in: int
    pictures_out: int
    """Of all renditions: pictures are encoded once, however many watch."""
    bytes_out: int
    stages: Mapping[str, StageTally]
    """By the names in STAGES."""
    transforms: Sequence[tuple[str, StageTally]]
    """In the chain's order, since each was put into it."""
    usages: Sequence[Usage]
    """Of models."""
    drops: Mapping[str, int]
    """By reason."""
    viewers: int
    outputs: Mapping[str, int]
    """Recordings and pushes by state."""
    lost_receiving: int
    """RTP packets from the publisher that is there now."""
    lost_sending: int
    """To the viewers that are there now."""
    trip_receiving: int | None
    """ns; None where it is not known."""
    trip_sending: int | None
    """The longest of the viewers'."""
