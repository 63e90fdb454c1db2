"""What all streams of a process share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from stream.limits import Limits
from stream.load import Load
from stream.metrics import Metrics
from stream.outputs import OutputRules
from stream.rtc.peer import PeerConfig
from transforms.models.store import Store


@dataclass(frozen=True, slots=True)
class Engine:
    """Made once, by the composition root."""

    device: torch.device
    store: Store
    peers: PeerConfig
    metrics: Metrics
    clock: Callable[[], int] = time.monotonic_ns
    load: Load = field(default_factory=Load)
    """Reads the same clock."""
    outputs: OutputRules = field(default_factory=OutputRules)
    allow_listening: bool = False
    """Whether a chain may listen to other streams than its own."""

    @property
    def limits(self) -> Limits:
        return self.peers.limits
