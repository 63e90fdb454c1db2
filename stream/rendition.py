"""One encode of a stream: its slot, its thread, and those it is for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from stream.adaptation import Ladder
from stream.codec import CodecError, VideoEncoder
from stream.egress import Egress
from stream.frame_queue import Drops, NewestSlot
from stream.limits import KEYFRAME_ANSWER, STEADY_KEYFRAMES, Limits
from stream.load import Load, Work
from stream.report import RenditionReport
from stream.statistics import Rate
from transforms.complaint import Complaint
from transforms.frame import Frame

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a rendition is like."""

    name: str
    """"main", "small" or "steady"."""
    scale: Fraction = Fraction(1)
    """Of width and height."""
    steady: bool = False
    """One size and rate, and a keyframe every STEADY_KEYFRAMES, for files and servers; else both follow the viewers' lines, and
    keyframes come when somebody needs one.
    """


MAIN = Kind("main")
SMALL = Kind("small", scale=Fraction(1, 2))
STEADY = Kind("steady", steady=True)


class Rendition:
    """``put``, ``request_keyframe``, ``bitrate`` and ``egresses`` may be used from any thread."""

    def __init__(
        self,
        kind: Kind,
        egress: Egress,
        *,
        drops: Drops,
        limits: Limits,
        load: Load,
        on_broken: Callable[[str], object] = lambda _: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.kind = kind
        self.codec = egress.codec
        self.egresses: tuple[Egress, ...] = (egress,)
        """Replaced as a whole."""
        self._drops = drops
        self._load = load
        self._on_broken = on_broken
        self._clock = clock
        self._complaint = Complaint(logger, clock)
        self._slot: NewestSlot[Frame] = NewestSlot(drops, "encoder_busy")
        bitrate = limits.steady_bitrate if kind.steady else limits.start_bitrate
        self._encoder = VideoEncoder(self.codec, bitrate, max(bitrate, limits.max_bitrate))
        self._keyframe_made = 0
        self._keyframe_pts: int | None = None
        self.keyframe_requested = False
        self._rate = Rate(clock)
        self._fixed: tuple[int, int] | None = None
        self.size = (0, 0)
        """Width and height, px, of the last picture."""
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def bitrate(self) -> int:
        """b/s."""
        return self._encoder.bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        self._encoder.bitrate = bitrate

    @property
    def encoders_built(self) -> int:
        return self._encoder.built

    def start(self, name: str) -> None:
        self.thread.name = name
        self.thread.start()

    def put(self, frame: Frame) -> None:
        self._slot.put(frame)

    def request_keyframe(self) -> None:
        """A receiver needs a keyframe: the next frame is one."""
        self.keyframe_requested = True

    def close(self) -> None:
        """Ends the thread, in a moment."""
        self._slot.close()

    def rates(self) -> tuple[float, float]:
        """Pictures and bytes a second."""
        return self._rate.per_second()

    @property
    def sent(self) -> tuple[int, int]:
        """Pictures and bytes so far."""
        return self._rate.count, self._rate.total

    def report(self, receivers: int) -> RenditionReport:
        fps, octets = self._rate.per_second()
        return RenditionReport(
            name=self.kind.name,
            codec=self.codec,
            width=self.size[0],
            height=self.size[1],
            fps=fps,
            kbps=round(octets * 8 / 1000, 1),
            target_kbps=round(self.bitrate / 1000, 1),
            receivers=receivers,
        )

    def _run(self) -> None:
        try:
            self._encode()
        except Exception:  # a stage that died unnoticed would be a frozen stream; this way it ends, and its clients know
            logger.exception("thread %s failed", threading.current_thread().name)
            self._on_broken("an error in the server ended it; its log says which")

    def _encode(self) -> None:
        ladder, left_out, work = Ladder(), 0, Work(self._load)
        while (frame := self._slot.get()) is not None:
            egresses = self.egresses
            if not any(egress.ready for egress in egresses):
                self._drops.add("egress_busy")
                self._encoder.skipped(frame.pts)
                continue
            if self.kind.steady:
                self._keep_steady(frame)
            else:
                pixels = int(frame.width * frame.height * self.kind.scale**2)
                rung = ladder.update(self._encoder.bitrate, pixels, self._clock())
                self._encoder.scale = rung.scale * self.kind.scale
                left_out = (left_out + 1) % rung.every
                if left_out:
                    self._drops.add("low_bitrate")
                    continue
            self._encoder.preset = self._load.preset
            if self.keyframe_requested and self._clock() - self._keyframe_made >= KEYFRAME_ANSWER:
                self.keyframe_requested = False
                self._keyframe_made = self._clock()
                self._encoder.want_keyframe = True
            try:
                with work:
                    picture = self._encoder.encode(frame)
            except CodecError as error:
                self._drops.add("unencodable")
                self._complaint("%s", error)
                continue
            frame.timeline.encoded = self._clock()
            if picture is None:
                continue
            if picture.keyframe:
                self._keyframe_pts = picture.pts
            self.size = (picture.width, picture.height)
            self._rate.add(len(picture.data))
            for egress in egresses:
                egress.send(picture)
        self._encoder.close()

    def _keep_steady(self, frame: Frame) -> None:
        if self._fixed is None:
            self._fixed = (frame.width - frame.width % 2, frame.height - frame.height % 2)
        self._encoder.canvas = self._fixed
        if self._keyframe_pts is not None and frame.pts - self._keyframe_pts >= STEADY_KEYFRAMES:
            self._encoder.want_keyframe = True
