"""One stream's sound, from its publisher to whoever is sent it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from stream.frame_queue import Drops
from stream.limits import SECOND
from stream.rtc.pacer import Timer
from stream.sound import opus
from stream.sound.arrivals import Arrivals
from stream.sound.delay_line import DelayLine
from stream.sound.limits import CLOSE_TIMEOUT, MAX_BEHIND
from stream.sound.packet import CLOCK_RATE, SoundPacket
from stream.sound.tap import AudioTap
from stream.sound.voice_line import VoiceLine
from stream.sound.worker import Worker
from transforms.audio import Recent, Voice
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)


LONGEST = 1275
"""bytes of Opus: what a packet of one frame has at most (RFC 6716 section 3.4), which a datagram still holds."""


class Sound:
    """Lives on the event loop. Opus goes through as it is; AAC is made into Opus in a thread, which is not there before the first
    packet of AAC or the first tap. While a transform has a voice, that is heard, and not the publisher.
    """

    def __init__(
        self,
        *,
        deliver: Callable[[SoundPacket], None],
        delay: Callable[[], int],
        drops: Drops,
        behind: Callable[[], float] = lambda: 0.0,
        voice: Callable[[], Voice | None] = lambda: None,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
        call_soon_threadsafe: Callable[[Callable[[], None]], object] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        name: str = "stream",
    ) -> None:
        """``deliver`` gets Opus in the order of pts, each at received + delay; ``delay`` returns how long pictures take, ns.
        ``behind`` returns by how many s pictures are made of sound that is earlier than they are (``Transform.sound_delay``):
        sound is put so much later, in its time stamps too. ``voice`` returns what is heard in the publisher's place.

        The first two functions of time are those of the running loop, unless given.
        """
        if call_later is None:
            call_later = asyncio.get_running_loop().call_later
        self._call_soon_threadsafe = call_soon_threadsafe or asyncio.get_running_loop().call_soon_threadsafe
        self._drops = drops
        self._name = name
        self._complaint = Complaint(logger, clock)
        self._line = DelayLine(deliver, delay, drops=drops, call_later=call_later, clock=clock)
        self._behind = behind
        self._later = 0.0
        """s by which the last packet was put later."""
        self._through: int | None = None
        """pts up to which the publisher was let through, 48 kHz."""
        self._arrivals = Arrivals()
        self._voice = VoiceLine(
            deliver=self._hold,
            voice=voice,
            arrivals=self._arrivals,
            later=self._put_later,
            earlier=delay,
            drops=drops,
            call_later=call_later,
            call_soon_threadsafe=self._call_soon_threadsafe,
            clock=clock,
            name=name,
        )
        self._recent = Recent()
        self._lock = threading.Lock()
        self._taps = 0
        self._worker = Worker(deliver=self._made, listening=lambda: self._taps > 0, recent=self._recent, drops=drops)
        self._thread: threading.Thread | None = None
        self._closed = False
        self._codec = ""

    @property
    def codec(self) -> str:
        """Of what comes in, "OPUS" or "AAC", or "VOICE" where a transform speaks; empty where nothing is heard."""
        return "VOICE" if self._voice.speaks else self._codec

    @property
    def transcoded(self) -> bool:
        return self.codec in ("AAC", "VOICE")

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def zero(self) -> int | None:
        """When the stream's time was 0, by what arrives, monotonic ns; None before the first. From any thread."""
        return self._arrivals.zero

    @property
    def delay_ms(self) -> float:
        """That sound is held back."""
        return (self._line.delay or 0) / 1e6 + self._later * 1000

    def put(self, packet: SoundPacket) -> None:
        """A packet from the publisher, in the stream's time. Returns at once."""
        if self._closed:
            return
        self._codec = packet.codec
        self._arrivals.sound(packet)
        self._voice.look(self._through)
        if packet.codec == "OPUS":
            if len(packet.data) > LONGEST or not opus.duration(packet.data) or not opus.plain(packet.configuration):
                self._drops.add("sound_broken")
                self._complaint("a packet of sound was lost: it is no Opus of one or two channels")
                return
            self._pass(packet)
        if packet.codec == "AAC" or self._taps:
            self._work(packet)

    def seen(self, pts: int, received: int) -> None:
        """A picture came, by whose time a voice is heard; ``pts`` in 90 kHz, ``received`` in monotonic ns."""
        if not self._closed:
            self._arrivals.picture(pts, received)
            self._voice.look(self._through)

    def begin(self) -> None:
        """Another publisher begins: its sound has nothing to do with what was decoded before."""
        self._worker.begin()
        self._arrivals.begin()
        self._voice.begin()
        self._through = None

    def tap(self) -> AudioTap:
        """The stream's sound for a transform, decoded from now on and until the tap is closed. From any thread."""
        with self._lock:
            self._taps += 1
        return AudioTap(self._recent, self._untap)

    async def close(self) -> None:
        """Ends it: what is held back is let go. Safe to call twice."""
        self._closed = True
        self._line.close()
        self._voice.close()
        self._worker.close()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join, CLOSE_TIMEOUT)

    def _untap(self) -> None:
        with self._lock:
            self._taps -= 1

    def _work(self, packet: SoundPacket) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._worker.run, name=f"{self._name}-sound", daemon=True)
            self._thread.start()
        self._worker.put(packet)

    def _made(self, packets: Sequence[SoundPacket]) -> None:
        """In the thread."""
        # The loop may be gone before a thread that did not end in time.
        with contextlib.suppress(RuntimeError):
            self._call_soon_threadsafe(lambda: self._take(packets))

    def _take(self, packets: Sequence[SoundPacket]) -> None:
        if self._closed:
            return
        for packet in packets:
            self._pass(packet)

    def _pass(self, packet: SoundPacket) -> None:
        """Opus of the publisher's."""
        if not self._voice.replaces(packet):
            self._through = packet.pts + opus.duration(packet.data)
            self._hold(packet)

    def _put_later(self) -> float:
        return min(MAX_BEHIND, max(0.0, self._behind()))

    def _hold(self, packet: SoundPacket) -> None:
        later = self._later = self._put_later()
        if later:
            packet = replace(packet, pts=packet.pts + round(later * CLOCK_RATE), received=packet.received + round(later * SECOND))
        self._line.put(packet)
