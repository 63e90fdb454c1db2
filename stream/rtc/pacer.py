"""When packets leave: at once while the line is free, and over several milliseconds where they would be a burst."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from stream.limits import (
    MTU_PAYLOAD,
    PACER_AGE,
    PACER_BURST,
    PACER_INTERVAL,
    PACER_PACKETS,
    PACER_READY,
    PACING_FACTOR,
    RETRANSMISSIONS,
    SECOND,
)
from stream.rtc.congestion import Probe

LEAST_BURST = 3 * MTU_PAYLOAD
"""Bytes that may leave together at any rate: a delta frame of a slow stream."""

PROBE_STEP = 0.001
"""s between two packets of a probe at least: event loops tick in milliseconds."""

P = TypeVar("P")
_P = TypeVar("_P", contravariant=True)


class Timer(Protocol):
    def cancel(self) -> None: ...


class Outlet(Protocol[_P]):
    """What the pacer sends through. Each returns the bytes that it put on the line."""

    def transmit(self, packet: _P, now: int, cluster: int | None) -> int: ...

    def pad(self, now: int, cluster: int) -> int:
        """Sends a packet that the receiver does not need, as a part of a probe; 0 where there is none to send."""

    def flush(self) -> None:
        """What was sent is all for now."""


@dataclass(slots=True)
class _Picture(Generic[P]):
    queued: int
    """ns."""
    packets: Sequence[P]
    next: int = 0


class Pacer(Generic[P]):
    """A leaky bucket on the event loop: what is sent runs into it, and it empties at PACING_FACTOR times the target.

    While it is not full, packets go in the call that brought them and there is no timer. Retransmissions go before
    pictures. Sound does not come here: its packets are too small to wait.
    """

    def __init__(
        self,
        outlet: Outlet[P],
        *,
        bitrate: int,
        call_later: Callable[[float, Callable[[], None]], Timer],
        clock: Callable[[], int],
        on_dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._outlet = outlet
        self._call_later = call_later
        self._clock = clock
        self._on_dropped = on_dropped
        self._pictures: deque[_Picture[P]] = deque()
        self._repeats: deque[P] = deque(maxlen=RETRANSMISSIONS)
        self._waiting = 0
        """Packets of pictures."""
        self._level = 0
        """Bytes in the bucket, times SECOND * 8: bits and nanoseconds without rounding."""
        self._leaked = clock()
        self._timer: Timer | None = None
        self._skipping = False
        self._probe: Probe | None = None
        self._probe_began = 0
        self._probe_packets = 0
        self._probe_octets = 0
        self.bitrate = bitrate
        """b/s, the target."""
        self.dropped = 0
        """Pictures that were given up because they had waited too long, or came before the keyframe after such."""

    @property
    def ready(self) -> bool:
        """Whether another picture would leave soon; where not, it is better not made."""
        return self._waiting * MTU_PAYLOAD * 8 * SECOND <= PACER_READY * PACING_FACTOR * self.bitrate

    def send(self, packets: Sequence[P], keyframe: bool) -> None:
        """Takes one picture."""
        now = self._clock()
        if self._skipping and not keyframe:
            self.dropped += 1
            return
        self._skipping = False
        self._pictures.append(_Picture(now, packets))
        self._waiting += len(packets)
        if self._waiting > PACER_PACKETS:
            self._give_up()
        elif self._timer is None:
            self._pump(now)

    def repeat(self, packets: Sequence[P]) -> None:
        """Takes retransmissions."""
        self._repeats.extend(packets)
        if self._timer is None:
            self._pump(self._clock())

    def probe(self, probe: Probe) -> None:
        """Sends a burst at the probe's rate: what waits, and padding where nothing does."""
        self._probe, self._probe_began = probe, self._clock()
        self._probe_packets = self._probe_octets = 0
        if self._timer is None:
            self._pump(self._probe_began)

    def close(self) -> None:
        self._pictures.clear()
        self._repeats.clear()
        self._waiting = 0
        self._probe = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        now = self._clock()
        if self._pictures and now - self._pictures[0].queued > PACER_AGE:
            self._give_up()
        self._pump(now)

    def _pump(self, now: int) -> None:
        """Sends what may leave now, and sets the timer where something is left."""
        pause = self._pump_probe(now)
        if pause is None:
            full = max(LEAST_BURST * 8 * SECOND, self.bitrate * PACER_BURST)
            self._level = max(0, self._level - int((now - self._leaked) * PACING_FACTOR * self.bitrate))
            self._leaked = now
            while (self._repeats or self._pictures) and self._level < full:
                self._level += self._send_next(now, None) * 8 * SECOND
            if self._repeats or self._pictures:
                pause = PACER_INTERVAL
        self._outlet.flush()
        if pause is not None:
            self._timer = self._call_later(pause, self._wake)

    def _pump_probe(self, now: int) -> float | None:
        """Seconds until the probe goes on, or None where there is none (any more)."""
        while (probe := self._probe) is not None:
            due = self._probe_began + self._probe_octets * 8 * SECOND // probe.bitrate
            if now < due:
                return max((due - now) / SECOND, PROBE_STEP)
            waits = self._repeats or self._pictures
            size = self._send_next(now, probe.cluster) if waits else self._outlet.pad(now, probe.cluster)
            self._probe_packets += 1
            self._probe_octets += size
            self._level += size * 8 * SECOND
            done = self._probe_packets >= probe.packets and self._probe_octets >= probe.octets
            if done or (not size and not waits):
                self._probe = None
        return None

    def _send_next(self, now: int, cluster: int | None) -> int:
        if self._repeats:
            return self._outlet.transmit(self._repeats.popleft(), now, cluster)
        picture = self._pictures[0]
        packet = picture.packets[picture.next]
        picture.next += 1
        self._waiting -= 1
        if picture.next == len(picture.packets):
            self._pictures.popleft()
        return self._outlet.transmit(packet, now, cluster)

    def _give_up(self) -> None:
        """What waits is too old to be of use, and what comes after it cannot be decoded without: on to a keyframe."""
        self.dropped += len(self._pictures)
        self._pictures.clear()
        self._waiting = 0
        self._skipping = True
        self._on_dropped()
