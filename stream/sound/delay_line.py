"""Sound held back until the pictures have caught up."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

from stream.frame_queue import Drops
from stream.limits import SECOND
from stream.rtc.pacer import Timer
from stream.sound.limits import DELAY_JUMP, DELAY_STEP, DELAYED_PACKETS, MAX_DELAY, TIMER_GRAIN
from stream.sound.packet import SoundPacket


class DelayLine:
    """Hands each packet on at received + delay, in the order of their pts. Lives on the event loop, with one timer at a time.

    The delay follows ``target`` little by little, so that no receiver hears it change.
    """

    def __init__(
        self,
        deliver: Callable[[SoundPacket], None],
        target: Callable[[], int],
        *,
        drops: Drops,
        call_later: Callable[[float, Callable[[], None]], Timer],
        clock: Callable[[], int],
    ) -> None:
        """``target`` returns ns."""
        self._deliver = deliver
        self._target = target
        self._drops = drops
        self._call_later = call_later
        self._clock = clock
        self._packets: list[SoundPacket] = []
        self._timer: Timer | None = None
        self._wakes = 0
        """When the timer does, monotonic ns."""
        self._delivered: int | None = None
        """pts of the last packet handed on."""
        self.delay: int | None = None
        """ns; None before the first packet."""

    def put(self, packet: SoundPacket) -> None:
        """Takes a packet. One whose place has gone by is dropped; when there are too many, the oldest is."""
        if self._delivered is not None and packet.pts <= self._delivered:
            self._drops.add("sound_late")
            return
        self._follow()
        insort(self._packets, packet, key=lambda held: held.pts)
        if len(self._packets) > DELAYED_PACKETS:
            del self._packets[0]
            self._drops.add("sound_full")
        self._release()

    def close(self) -> None:
        """What is held is let go."""
        self._packets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _follow(self) -> None:
        target = max(0, min(self._target(), MAX_DELAY))
        if self.delay is None or abs(target - self.delay) > DELAY_JUMP:
            self.delay = target
        else:
            self.delay += max(-DELAY_STEP, min(target - self.delay, DELAY_STEP))

    def _release(self) -> None:
        """Hands on what is due, and sets the timer for what is not."""
        assert self.delay is not None
        now, due = self._clock(), 0
        while self._packets:
            due = self._packets[0].received + self.delay
            if due - now > TIMER_GRAIN:
                break
            packet = self._packets.pop(0)
            if self._delivered is not None and packet.pts <= self._delivered:
                self._drops.add("sound_late")
                continue
            self._delivered = packet.pts
            self._deliver(packet)
        if self._packets and (self._timer is None or due < self._wakes):
            if self._timer is not None:
                self._timer.cancel()
            self._wakes = due
            self._timer = self._call_later((due - now) / SECOND, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._release()
