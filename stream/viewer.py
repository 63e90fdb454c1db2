"""One who watches: its peer, what it is sent, and how its line is."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from stream.limits import SECOND
from stream.report import ViewerReport
from stream.rtc.peer import Peer


class Viewer:
    """Lives on the event loop."""

    def __init__(self, peer: Peer, protocol: str, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.id = secrets.token_hex(4)
        """For reports; no secret."""
        self.peer = peer
        self.protocol = protocol
        self.codec = peer.media.video.codec if peer.media.video is not None and peer.media.video.send else ""
        """Empty for one who only listens."""
        self.rendition = ""
        """Name of the one that it is sent."""
        self.changing_since: int | None = None
        """Since when its line has been too slow for that, or fast enough for more, ns."""
        self.keyframe_asked: int | None = None
        self.keyframe_owed = False
        """It asked for one too soon after another."""
        self._clock = clock
        self._began = clock()
        self._octets = self._dropped = 0
        self._looked = self._began
        self._kbps = 0.0

    @property
    def estimate(self) -> int | None:
        """b/s that its line has for pictures; None without any."""
        return self.peer.sender.target if self.peer.sender is not None else None

    def look(self) -> int:
        """Takes the rate since the last look; returns the pictures that were dropped since, as its line was full."""
        now, sender = self._clock(), self.peer.sender
        if sender is None:
            return 0
        if now > self._looked:
            self._kbps = (sender.octets - self._octets) * 8e6 / (now - self._looked)
            self._octets, self._looked = sender.octets, now
        dropped, self._dropped = sender.dropped - self._dropped, sender.dropped
        return dropped

    def report(self) -> ViewerReport:
        peer = self.peer
        sender = peer.sender
        trip = peer.round_trip
        return ViewerReport(
            id=self.id,
            protocol=self.protocol,
            codec=self.codec,
            rendition=self.rendition,
            connected_s=round((self._clock() - self._began) / SECOND, 1),
            rtt_ms=round(trip / 1e6, 2) if trip is not None else None,
            packets_lost=peer.packets_lost_sending,
            kbps=round(self._kbps, 1),
            target_kbps=round(self.estimate / 1000, 1) if self.estimate is not None else None,
            dropped=sender.dropped if sender is not None else 0,
        )
