"""What a peer that was let in leaves with whoever let it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from stream.rtc.parameters import Candidate, LocalTransport


@dataclass(frozen=True, slots=True)
class Connection:
    """One WebRTC peer, as its signaling needs it."""

    local: LocalTransport
    ssrcs: Mapping[str, tuple[int, ...]]
    """What the peer is sent, by mid: the media's SSRC, its retransmissions', its repair packets', where there are any."""
    cname: str
    add_candidates: Callable[[Sequence[Candidate]], Awaitable[None]]
    """Takes ICE candidates that the peer learned of late (trickle)."""
    close: Callable[[str], Awaitable[None]]
    """Ends the peer, for a reason; returns when its name and sockets are free. Safe to call twice."""
