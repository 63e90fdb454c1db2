"""Pictures for a publisher who sends sound alone, where the chain can do without a camera."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from stream.limits import MILLISECOND, SECOND
from stream.sound.packet import SoundPacket

INTERVAL = 40 * MILLISECOND
"""ns from one to the next: 25 a second, as for speech it need not be more."""

CAMERA_AWAITED = SECOND
"""ns without a picture after which a publisher who is heard has no camera, or none any more: cameras start after microphones."""

JUMP = 250 * MILLISECOND
"""ns by which sound has to be elsewhere in time than it was, to be followed at once; less is the line's jitter, and averaged."""

CALM = 32
"""Packets over which it is: 0.6 s of Opus."""


class Blanks:
    """Says when a blank picture is due, and of which time. Lives on the event loop.

    Their time is that of the sound that arrives meanwhile, so that what is made of both stays together.
    """

    def __init__(
        self,
        *,
        wanted: Callable[[], bool],
        show: Callable[[int], None],
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``wanted`` says whether somebody would see them and the chain paints on them; ``show`` is called with a pts, 90 kHz."""
        self._wanted = wanted
        self._show = show
        self._clock = clock
        self._sleep = sleep
        self._began = clock()
        self._pictured: int | None = None
        """When a picture of the publisher's came last, ns."""
        self._zero: int | None = None
        """When the sound's time was 0, ns."""
        self._running = False

    def begin(self) -> None:
        """Another publisher."""
        self._began, self._pictured, self._zero = self._clock(), None, None

    def pictured(self) -> None:
        """A picture came from the publisher."""
        self._pictured = self._clock()

    def heard(self, packet: SoundPacket) -> None:
        """Sound came, whose pts is the stream's own."""
        zero = packet.received - packet.pts * SECOND // 48_000
        if self._zero is None or abs(zero - self._zero) > JUMP:
            self._zero = zero
        self._zero += (zero - self._zero) // CALM

    @property
    def due(self) -> bool:
        """Whether there is sound alone, and somebody for whom pictures are to be made of it."""
        last = self._began if self._pictured is None else self._pictured
        return self._zero is not None and self._clock() - last >= CAMERA_AWAITED and self._wanted()

    def start(self) -> asyncio.Task[None] | None:
        """A task that makes them until they are not due any more; None where that is now, or one is at work."""
        if self._running or not self.due:
            return None
        self._running = True
        return asyncio.create_task(self._make(), name="doppel-blanks")

    async def _make(self) -> None:
        try:
            next_ = self._clock()
            while self.due and self._zero is not None:
                now = self._clock()
                self._show((now - self._zero) * 90_000 // SECOND)
                # Where the loop was held up, those in between are left out.
                next_ += max(1, -(-(now - next_ + 1) // INTERVAL)) * INTERVAL
                await self._sleep((next_ - now) / SECOND)
        finally:
            self._running = False
