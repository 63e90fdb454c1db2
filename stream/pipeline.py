"""The way of a frame, from the publisher's picture to the receiver's.

    ingest -> PictureQueue -> decode -> NewestSlot -> chain -> NewestSlot -> encode -> egress

Each stage is a plain loop in its own thread. What each queue does when the next stage is slower:

- ``PictureQueue``: decoding cannot skip, so it drops up to the next keyframe, and asks the publisher for one.
- ``NewestSlot``: a decoded frame depends on nothing, so a newer one replaces it.
- An egress that is not ready gets nothing encoded.

So no frame ever waits behind an older one, and at any load what gives is the frame rate, never the latency. Where it is the
machine that is short of cores, ``Load`` says how many frames every stream leaves out after its decoder.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from stream.adaptation import Ladder
from stream.codec import CodecError, Decoder, VideoEncoder
from stream.egress import Egress
from stream.frame_queue import NewestSlot, PictureQueue
from stream.limits import KEYFRAME_ANSWER, Limits
from stream.load import Load, Thinning, Work
from stream.pace import Pace
from stream.picture import EncodedPicture
from stream.statistics import Statistics
from transforms.chain import Chain
from transforms.complaint import Complaint
from transforms.frame import Frame

logger = logging.getLogger(__name__)


class Pipeline:
    """One stream's threads. ``put``, ``request_keyframe`` and ``set_bitrate`` may be called from anywhere."""

    def __init__(
        self,
        name: str,
        *,
        chain: Chain,
        egress: Egress,
        statistics: Statistics,
        limits: Limits,
        load: Load,
        ask_publisher: Callable[[], None],
        on_broken: Callable[[str], object] = lambda _: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._chain = chain
        self._egress = egress
        self._statistics = statistics
        self._limits = limits
        self._load = load
        self._ask_publisher = ask_publisher
        self._on_broken = on_broken
        self._clock = clock
        self._complaint = Complaint(logger)
        self._pictures = PictureQueue(statistics.drops, ask_publisher)
        self._decoded: NewestSlot[Frame] = NewestSlot(statistics.drops, "chain_busy")
        self._transformed: NewestSlot[Frame] = NewestSlot(statistics.drops, "encoder_busy")
        self._encoder = VideoEncoder(egress.codec, limits.start_bitrate, limits.max_bitrate)
        self._keyframe_made = 0
        self._keyframe_requested = False
        self.size_in = (0, 0)
        """Width and height, px, of the last decoded frame."""
        self.size_out = (0, 0)
        self._threads = [
            threading.Thread(target=self._run, args=(stage,), name=f"{name}-{stage.__name__.strip('_')}", daemon=True)
            for stage in (self._decode, self._transform, self._encode)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, picture: EncodedPicture) -> None:
        """A picture from the publisher."""
        self._statistics.incoming.add(len(picture.data))
        self._pictures.put(picture)

    def request_keyframe(self) -> None:
        """A receiver needs a keyframe: the next frame is one."""
        self._keyframe_requested = True

    def set_bitrate(self, bitrate: int) -> None:
        """b/s that receivers can take; kept within the limits."""
        self._encoder.bitrate = bitrate

    @property
    def encoders_built(self) -> int:
        return self._encoder.built

    def close(self) -> None:
        """Ends the threads. Blocks until they have, at most ``limits.close_timeout``."""
        self._pictures.close()
        self._decoded.close()
        self._transformed.close()
        deadline = time.monotonic() + self._limits.close_timeout
        for thread in self._threads:
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
        pace, thinning, work = Pace(self._limits.max_fps), Thinning(), Work(self._load)
        while (picture := self._pictures.get()) is not None:
            if decoder is None or decoder.codec != picture.codec:
                decoder = Decoder(picture.codec, self._limits.max_pixels)
            try:
                with work:
                    frames = list(decoder.decode(picture))
                for frame in frames:
                    frame.timeline.decoded = self._clock()
                    self.size_in = (frame.width, frame.height)
                    if not pace.admits(frame.pts):
                        self._statistics.drops.add("over_max_fps")
                        continue
                    if not thinning.admits(self._load.share):
                        self._statistics.drops.add("busy_machine")
                        continue
                    self._decoded.put(frame)
            except CodecError as error:
                self._statistics.drops.add("undecodable")
                self._complaint("%s", error)
                self._pictures.await_keyframe()

    def _transform(self) -> None:
        while (frame := self._decoded.get()) is not None:
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
            self._transformed.put(frame)
        self._chain.close()

    def _encode(self) -> None:
        ladder, left_out, work = Ladder(), 0, Work(self._load)
        while (frame := self._transformed.get()) is not None:
            if not self._egress.ready:
                self._statistics.drops.add("egress_busy")
                self._encoder.skipped(frame.pts)
                continue
            rung = ladder.update(self._encoder.bitrate, frame.width * frame.height, self._clock())
            self._encoder.scale, self._encoder.preset = rung.scale, self._load.preset
            left_out = (left_out + 1) % rung.every
            if left_out:
                self._statistics.drops.add("low_bitrate")
                continue
            if self._keyframe_requested and self._clock() - self._keyframe_made >= KEYFRAME_ANSWER:
                self._keyframe_requested = False
                self._keyframe_made = self._clock()
                self._encoder.want_keyframe = True
            try:
                with work:
                    picture = self._encoder.encode(frame)
            except CodecError as error:
                self._statistics.drops.add("unencodable")
                self._complaint("%s", error)
                continue
            frame.timeline.encoded = self._clock()
            if picture is not None:
                self.size_out = (picture.width, picture.height)
                self._egress.send(picture)
        self._encoder.close()
