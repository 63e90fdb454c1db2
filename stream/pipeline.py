r"""The way of a frame, from the publisher's picture to the receiver's.

    ingest -> PictureQueue -> decode -> NewestSlot -> chain -> NewestSlot -> encode -> egress
                                                           \-> NewestSlot -> encode -> egress

Each stage is a plain loop in its own thread, and encoding one for each rendition, however many watch it. What each queue does
when the next stage is slower:

- ``PictureQueue``: decoding cannot skip, so it drops up to the next keyframe, and asks the publisher for one.
- ``NewestSlot``: a decoded frame depends on nothing, so a newer one replaces it, but for one that a stage in time is forgiven.
- Egresses of which none is ready get nothing encoded. Where nobody receives, no chain runs.

So no frame waits behind an older one, but for a moment and where that is made up for, and at any load what gives is the frame
rate, never the latency. Where it is the machine that is short of cores, ``Load`` says how many frames every stream leaves out
after its decoder.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import cache

import torch

from stream.codec import CodecError
from stream.decoder import Decoder
from stream.frame_queue import NewestSlot, PictureQueue
from stream.limits import QUIET, Limits
from stream.load import Load, Thinning, Work
from stream.pace import Pace
from stream.picture import EncodedPicture
from stream.rendition import Rendition
from stream.statistics import Statistics
from transforms.chain import Chain
from transforms.color import Color
from transforms.complaint import Complaint
from transforms.frame import NO_CAMERA, Frame, Planes, Timeline

logger = logging.getLogger(__name__)

BLANK = (1280, 720)
"""px, width and height of the pictures for a publisher without a camera."""


@cache
def _grey() -> Planes:
    """Nobody writes to it: whoever changes a frame has planes of its own first."""
    width, height = BLANK
    return Planes(*(torch.full((height // part, width // part), 128, dtype=torch.uint8) for part in (1, 2, 2)))


def blank(pts: int) -> Frame:
    """A grey picture that says of itself that no camera made it; ``pts`` in 90 kHz."""
    frame = Frame(_grey(), pts=pts, color=Color(matrix=1, full_range=False))
    frame.notes[NO_CAMERA] = True
    return frame


class Pipeline:
    """One stream's threads. ``put``, ``begin`` and ``repeat`` may be called from anywhere; ``add`` and ``remove`` on the loop."""

    def __init__(
        self,
        name: str,
        *,
        chain: Chain,
        statistics: Statistics,
        limits: Limits,
        load: Load,
        ask_publisher: Callable[[], None],
        on_broken: Callable[[str], object] = lambda _: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._name = name
        self._chain = chain
        self._statistics = statistics
        self._limits = limits
        self._load = load
        self._on_broken = on_broken
        self._clock = clock
        self._complaint = Complaint(logger)
        self._pictures = PictureQueue(statistics.drops, ask_publisher)
        self._decoded: NewestSlot[Frame] = NewestSlot(statistics.drops, "chain_busy")
        self._last: tuple[Frame, int] | None = None
        """What the decoder gave last, as it was before the chain, and when, ns."""
        self.shown: Frame | None = None
        """What the chain gave last; nobody writes to it any more."""
        self._blank_thinning = Thinning()
        self.renditions: tuple[Rendition, ...] = ()
        """Replaced as a whole; the first is the one that is measured."""
        self._sent_before = (0, 0)
        """Pictures and bytes of those that were removed."""
        self.size_in = (0, 0)
        """Width and height, px, of the last decoded frame."""
        self._encoders: list[threading.Thread] = []
        """The renditions', and those of some that were removed and may not have ended yet."""
        self._stages = [
            threading.Thread(target=self._run, args=(stage,), name=f"{name}-{stage.__name__.strip('_')}", daemon=True)
            for stage in (self._decode, self._transform)
        ]

    def start(self) -> None:
        for thread in self._stages:
            thread.start()

    def add(self, rendition: Rendition) -> None:
        """Begins to encode for somebody."""
        self._encoders.append(rendition.thread)
        self.renditions = (*self.renditions, rendition)
        rendition.start(f"{self._name}-encode-{rendition.kind.name}-{rendition.codec}")

    @property
    def sent(self) -> tuple[int, int]:
        """Pictures and bytes of all renditions so far."""
        pictures, octets = zip(self._sent_before, *(rendition.sent for rendition in self.renditions), strict=True)
        return sum(pictures), sum(octets)

    def remove(self, rendition: Rendition) -> None:
        """Nobody is left for it."""
        self.renditions = tuple(other for other in self.renditions if other is not rendition)
        self._sent_before = (self._sent_before[0] + rendition.sent[0], self._sent_before[1] + rendition.sent[1])
        rendition.close()
        self._encoders = [thread for thread in self._encoders if thread.is_alive()]

    def put(self, picture: EncodedPicture) -> None:
        """A picture from the publisher."""
        self._statistics.incoming.add(len(picture.data))
        self._pictures.put(picture)

    def begin(self) -> None:
        """Another publisher: nothing that comes depends on what came."""
        self._pictures.begin()

    def repeat(self, pts: int | None = None) -> None:
        """Shows the last picture again, for who came after it, as the one of this time (90 kHz) or else the next possible.

        It goes through the chain as that is now: what is to be hidden since then is.
        """
        if self._last is not None and self.renditions:
            frame, now = self._last[0], self._clock()
            frame.pts = frame.pts + 1 if pts is None else pts
            again = frame.again(frame.pts)
            again.timeline = Timeline(received=now, decoded=now)
            self._decoded.put(again)

    def put_blank(self, pts: int) -> None:
        """A picture of nothing, of this time (90 kHz), for a chain that paints on it: from a publisher of sound alone."""
        if not self._blank_thinning.admits(self._load.share):
            self._statistics.drops.add("busy_machine")
            return
        now = self._clock()
        frame = blank(pts)
        frame.timeline = Timeline(received=now, decoded=now)
        # What is shown again while the publisher is away: the same, not a picture of a camera that went off.
        self._last = frame.again(pts), now
        self._decoded.put(frame)

    @property
    def keyframe_due(self) -> bool:
        """Whether somebody waits for a keyframe, and no picture comes that it could be made of."""
        quiet = self._last is not None and self._clock() - self._last[1] >= QUIET
        return quiet and any(rendition.keyframe_requested for rendition in self.renditions)

    def close(self) -> None:
        """Ends the threads. Blocks until they have, at most ``limits.close_timeout``."""
        self._pictures.close()
        self._decoded.close()
        for rendition in self.renditions:
            rendition.close()
        deadline = time.monotonic() + self._limits.close_timeout
        for thread in (*self._stages, *self._encoders):
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.error("thread %s did not end in %g s: a transform hangs", thread.name, self._limits.close_timeout)

    def _run(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except Exception:  # a stage that died unnoticed would be a frozen stream; this way it ends, and its client knows
            logger.exception("thread %s failed", threading.current_thread().name)
            self._on_broken("an error in the server ended it; its log says which")

    def _decode(self) -> None:
        decoder: Decoder | None = None
        publisher = 0
        pace, thinning, work = Pace(self._limits.max_fps), Thinning(), Work(self._load)
        while (picture := self._pictures.get()) is not None:
            try:
                if decoder is None or decoder.codec != picture.codec or self._pictures.publisher != publisher:
                    decoder, publisher = Decoder(picture.codec, self._limits.max_pixels), self._pictures.publisher
                with work:
                    frames = list(decoder.decode(picture))
                if decoder.late:
                    self._statistics.drops.add("out_of_order", decoder.late)
                    decoder.late = 0
                for frame in frames:
                    frame.timeline.decoded = self._clock()
                    self.size_in = (frame.width, frame.height)
                    if not pace.admits(frame.pts):
                        self._statistics.drops.add("over_max_fps")
                        continue
                    if not thinning.admits(self._load.share):
                        self._statistics.drops.add("busy_machine")
                        continue
                    self._last = frame.again(frame.pts), frame.timeline.decoded
                    self._decoded.put(frame)
            except CodecError as error:
                self._statistics.drops.add("undecodable")
                self._complaint("%s", error)
                self._pictures.await_keyframe()

    def _transform(self) -> None:
        newest = -1
        while (frame := self._decoded.get()) is not None:
            if not self.renditions:
                self.shown = None
                self._statistics.drops.add("unwatched")
                continue
            if frame.pts <= newest:
                # A picture was shown again while the decoder was at work on this one.
                self._statistics.drops.add("out_of_order")
                continue
            newest = frame.pts
            timeline = frame.timeline
            timeline.taken = self._clock()
            spent = time.thread_time_ns()
            try:
                frame = self._chain.process(frame)
            except Exception as error:  # the device's own failures (memory, a lost GPU) must not freeze the stream for good
                self._statistics.drops.add("chain_failed")
                self._complaint("a frame was dropped, since its chain failed", error=error)
                continue
            self._load.chained(time.thread_time_ns() - spent)
            frame.timeline = timeline
            timeline.transformed = self._clock()
            self.shown = frame
            # Encoders write into the pictures that they are given, so each has its own; the first the decoder's.
            others = [(rendition, frame.again(frame.pts)) for rendition in self.renditions[1:]]
            for rendition in self.renditions[:1]:
                rendition.put(frame)
            for rendition, copy in others:
                rendition.put(copy)
        self.shown = None
        self._chain.close()
