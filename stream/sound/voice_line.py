"""A voice that is heard in the publisher's place, in step with the pictures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from stream.frame_queue import Drops
from stream.limits import MILLISECOND, SECOND
from stream.rtc.pacer import Timer
from stream.sound.arrivals import Arrivals
from stream.sound.encoder import BLOCK
from stream.sound.errors import SoundError
from stream.sound.limits import VOICE_BEHIND, VOICE_WAITING
from stream.sound.packet import CLOCK_RATE, SoundPacket
from stream.sound.voice_encoder import VoiceEncoder
from transforms.audio import STEP, Listener, Voice
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)

SILENCE = SECOND
"""ns without a picture or sound from the publisher after which nothing is said: nobody would be seen to say it."""


class VoiceLine:
    """Cuts 20 ms of a voice whenever they are over, by the time at which pictures arrive; they need not come with sound. Lives on
    the event loop, with one timer at a time; encoding has a thread of its own, which begins with the first voice.
    """

    def __init__(
        self,
        *,
        deliver: Callable[[SoundPacket], None],
        voice: Callable[[], Voice | None],
        arrivals: Arrivals,
        later: Callable[[], float],
        earlier: Callable[[], int],
        drops: Drops,
        call_later: Callable[[float, Callable[[], None]], Timer],
        call_soon_threadsafe: Callable[[Callable[[], None]], object],
        clock: Callable[[], int] = time.monotonic_ns,
        name: str = "stream",
    ) -> None:
        """``deliver`` is called on the loop, in order; ``voice`` says who speaks now; ``later`` by how many s what is said is put
        later, which is time to wait for it; ``earlier`` how much before it arrived it can still be heard, ns.
        """
        self._deliver = deliver
        self._voice = voice
        self._arrivals = arrivals
        self._later = later
        self._earlier = earlier
        self._drops = drops
        self._call_later = call_later
        self._call_soon_threadsafe = call_soon_threadsafe
        self._clock = clock
        self._name = name
        self._timer: Timer | None = None
        self._next: int | None = None
        """pts of what is cut next, 48 kHz; None before the first."""
        self._waiting = 0
        """Blocks that the thread has."""
        self._thread: ThreadPoolExecutor | None = None
        self._encoder: VoiceEncoder | None = None
        self._complaint = Complaint(logger, clock)
        self._closed = False

    @property
    def speaks(self) -> bool:
        """Whether a voice is heard instead of the publisher's now."""
        voice, present = self._voice(), self._present()
        return voice is not None and (voice.end is None or present is None or present < voice.end)

    def replaces(self, packet: SoundPacket) -> bool:
        """Whether a packet of the publisher's is not to be heard: a voice has its place, or had."""
        voice = self._voice()
        if voice is not None and (voice.end is None or packet.pts < voice.end):
            return True
        return self._next is not None and packet.pts < self._next

    def begin(self) -> None:
        """Another publisher."""
        self._next = None

    def look(self, after: int | None) -> None:
        """Something arrived; what the publisher said was let through up to a pts, 48 kHz."""
        if self._timer is None and not self._closed and self.speaks:
            present = self._present()
            if present is None:
                return
            first = present - self._earlier() * CLOCK_RATE // SECOND
            if self._next is not None and self._next > first - CLOCK_RATE:
                first = max(first, self._next)
            if after is not None and after < present + CLOCK_RATE:
                first = max(first, after)
            self._next = -(-first // STEP) * STEP
            self._cut()

    def close(self) -> None:
        """No more comes. Safe to call twice."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _present(self) -> int | None:
        """pts of what begins now, 48 kHz."""
        zero = self._arrivals.zero
        return None if zero is None else (self._clock() - zero) * CLOCK_RATE // SECOND

    def _cut(self) -> None:
        """Cuts what is over, and sets the timer for the next."""
        self._timer = None
        voice, zero, newest, now = self._voice(), self._arrivals.zero, self._arrivals.newest, self._clock()
        if voice is None or zero is None or newest is None or now - newest >= SILENCE or self._next is None:
            return
        wait = BLOCK + round(self._later() * CLOCK_RATE)
        over = (now - zero) * CLOCK_RATE // SECOND - wait
        if not -CLOCK_RATE <= over - self._next <= VOICE_BEHIND:
            # The loop was held up, or time has jumped.
            self._next = -(-over // STEP) * STEP
        while self._next <= over and (voice.end is None or self._next < voice.end):
            self._put(voice.sound, self._next, zero + (self._next + BLOCK) * SECOND // CLOCK_RATE)
            self._next += BLOCK
        if voice.end is None or self._next < voice.end:
            due = zero + (self._next + wait) * SECOND // CLOCK_RATE - now
            self._timer = self._call_later(max(due, MILLISECOND) / SECOND, self._cut)

    def _put(self, voice: Listener, pts: int, received: int) -> None:
        if self._waiting >= VOICE_WAITING:
            self._drops.add("sound_behind")
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self._name}-voice")
        self._waiting += 1
        self._thread.submit(self._work, voice, pts, received)

    def _work(self, voice: Listener, pts: int, received: int) -> None:
        """In the thread."""
        made: SoundPacket | None = None
        try:
            if self._encoder is None:
                self._encoder = VoiceEncoder()
            made = self._encoder.encode(voice, pts, received)
        except SoundError as error:
            self._complaint("20 ms of a voice were lost: %s", error)
        except Exception as error:  # a thread's last boundary, and a plugin's voice: what fails must not fail in silence
            self._complaint("the server could not work with a transform's voice", error=error)
        try:
            self._call_soon_threadsafe(lambda: self._made(made))
        except RuntimeError:
            # The loop has ended, and with it whoever listened.
            return

    def _made(self, packet: SoundPacket | None) -> None:
        self._waiting -= 1
        if packet is None:
            self._drops.add("sound_broken")
        elif not self._closed:
            self._deliver(packet)
