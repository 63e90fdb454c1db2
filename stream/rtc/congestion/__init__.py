"""How fast to send: the seam between a sender and what decides its rate.

Time is always an argument, in ns of any one monotonic clock; nothing in here reads a clock or starts a timer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Arrivals = Sequence[tuple[int, int | None]]
"""What one transport-wide feedback reports: 16-bit number and arrival in ns of the receiver's clock, None where lost."""


class Probe(NamedTuple):
    """A short burst at a rate above the target, to learn whether the line carries it."""

    cluster: int
    """Names the burst; ``Controller.sent`` is told it with each packet of the burst."""
    bitrate: int
    """b/s to send at."""
    packets: int
    """Packets to send at least."""
    octets: int
    """Bytes to send at least."""


class Controller(Protocol):
    """Decides the bitrate of one sender. Lives on the event loop."""

    @property
    def target(self) -> int:
        """b/s to send, retransmissions included."""

    @property
    def open(self) -> bool:
        """Whether the line takes another picture; where not, what is under way already fills its queue."""

    def sent(self, number: int, size: int, now: int, cluster: int | None = None) -> None:
        """A packet of ``size`` bytes left with this transport-wide number (16 bits)."""

    def feedback(self, arrivals: Arrivals, now: int) -> None:
        """The receiver told which numbers arrived and when."""

    def receiver_report(self, fraction_lost: float, round_trip: int | None, now: int) -> None:
        """An RTCP receiver report: packets lost since the last, 0 to 1, and the smoothed round trip in ns if known."""

    def remb(self, bitrate: int, now: int) -> None:
        """The receiver's own estimate, b/s."""

    def tick(self, now: int) -> None:
        """Called now and then, so that silence is noticed too."""

    def probe(self, now: int) -> Probe | None:
        """A burst to send now, or None. It is given out once."""
