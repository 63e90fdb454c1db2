"""The thread in which a stream's sound is decoded and encoded."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from av.audio.frame import AudioFrame

from stream.frame_queue import Drops
from stream.sound.decoder import SoundDecoder
from stream.sound.errors import SoundError
from stream.sound.limits import QUEUE_PACKETS
from stream.sound.packet import SoundPacket
from stream.sound.tap import Ear
from stream.sound.transcoder import Transcoder
from transforms.audio import Recent
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)


class Worker:
    """Takes packets from the loop, and gives Opus back where they were AAC. ``run`` is what its thread does."""

    def __init__(
        self,
        *,
        deliver: Callable[[Sequence[SoundPacket]], None],
        listening: Callable[[], bool],
        recent: Recent,
        drops: Drops,
    ) -> None:
        """``deliver`` is called in the thread; ``listening`` says whether decoded sound is to go into ``recent``."""
        self._deliver = deliver
        self._listening = listening
        self._recent = recent
        self._drops = drops
        self._complaint = Complaint(logger)
        self._condition = threading.Condition()
        self._packets: deque[SoundPacket] = deque()
        self._begun = self._closed = False
        self._ear = Ear(recent)
        self._transcoder = Transcoder(self._broken, self._decoded)
        self._decoder: SoundDecoder | None = None
        """For Opus, which nobody but a listener needs decoded."""

    def put(self, packet: SoundPacket) -> None:
        """From any thread; returns at once. When the thread is behind, the oldest packet is dropped."""
        with self._condition:
            if self._closed:
                return
            behind = len(self._packets) >= QUEUE_PACKETS
            if behind:
                self._packets.popleft()
            self._packets.append(packet)
            self._condition.notify()
        if behind:
            self._drops.add("sound_behind")

    def begin(self) -> None:
        """Another publisher: what waits is let go."""
        with self._condition:
            lost = len(self._packets)
            self._packets.clear()
            self._begun = True
        if lost:
            self._drops.add("taken_over", lost)

    def close(self) -> None:
        """``run`` returns soon."""
        with self._condition:
            self._closed = True
            self._packets.clear()
            self._condition.notify_all()

    def run(self) -> None:
        """Until ``close``."""
        while self.step():
            pass

    def step(self) -> bool:
        """Waits for one packet and works on it; False after ``close``."""
        packet = self._next()
        if packet is None:
            return False
        try:
            self._take(packet)
        except SoundError as error:
            self._broken(error)
        except Exception:  # a thread's last boundary: where it ends, all sound does
            logger.exception("a packet of sound could not be worked on")
            self._drops.add("sound_broken")
            self._forget()
        return True

    def _next(self) -> SoundPacket | None:
        with self._condition:
            while not self._packets and not self._closed:
                self._condition.wait()
            if self._closed:
                return None
            begun, self._begun = self._begun, False
            packet = self._packets.popleft()
        if begun:
            self._forget()
        return packet

    def _take(self, packet: SoundPacket) -> None:
        if packet.codec == "AAC":
            made = self._transcoder.transcode(packet)
            if made:
                self._deliver(made)
        elif self._listening():
            if self._decoder is None or not self._decoder.fits(packet):
                self._decoder = SoundDecoder(packet.codec, packet.configuration)
            for frame in self._decoder.decode(packet.data):
                self._ear(frame, packet.pts)

    def _decoded(self, frame: AudioFrame, pts: int) -> None:
        if self._listening():
            self._ear(frame, pts)

    def _broken(self, error: SoundError) -> None:
        self._drops.add("sound_broken")
        self._complaint("a packet of sound was lost: %s", error)

    def _forget(self) -> None:
        self._transcoder.forget()
        self._ear.forget()
        self._decoder = None
