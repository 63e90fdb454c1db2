"""Those who watch a stream: which rendition each is sent, and the rate that each rendition has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from stream.egress.webrtc import WebRtcEgress
from stream.frame_queue import Drops
from stream.limits import FAST_AFTER, MIN_BITRATE, SLOW_AFTER, VIEWER_KEYFRAME, Limits
from stream.pipeline import Pipeline
from stream.rendition import MAIN, SMALL, Kind, Rendition
from stream.sound.packet import SoundPacket
from stream.viewer import Viewer

SLOW = 0.6
"""Share of the rate that half of the viewers can take, under which a line is slow; also what the others are spared below."""

FAST = 1.2
"""Times the main rendition's rate that a line has to carry to get it back."""


@dataclass(slots=True)
class _Place:
    rendition: Rendition
    egress: WebRtcEgress
    viewers: list[Viewer]


class Audience:
    """Lives on the event loop. A rendition is there while somebody watches it."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        limits: Limits,
        drops: Drops,
        make_egress: Callable[[str], WebRtcEgress],
        make_rendition: Callable[[Kind, WebRtcEgress], Rendition],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._pipeline = pipeline
        self._limits = limits
        self._drops = drops
        self._make_egress = make_egress
        self._make_rendition = make_rendition
        self._clock = clock
        self._places: dict[tuple[str, str], _Place] = {}
        """By codec and the name of the kind."""
        self._listeners = make_egress("")
        """Of sound alone."""
        self.viewers: list[Viewer] = []

    def add(self, viewer: Viewer) -> None:
        """Sends to a viewer from its next keyframe on, which is made at once."""
        self.viewers.append(viewer)
        if viewer.codec:
            self._put(viewer, MAIN)
        else:
            self._listeners.add(viewer.peer)

    def remove(self, viewer: Viewer) -> None:
        """Sends no more to it. Of one that is not there nothing is to be done."""
        if viewer not in self.viewers:
            return
        self.viewers.remove(viewer)
        self._drops.add("line_full", viewer.look())
        if viewer.codec:
            self._take(viewer)
        else:
            self._listeners.remove(viewer.peer)

    def sound(self, packet: SoundPacket) -> None:
        """Sends a packet of Opus to everybody."""
        for egress in self._egresses():
            egress.sound(packet)

    def keyframe_requested(self, viewer: Viewer) -> None:
        """A viewer lost its picture. Of several each gets one now and then only: all others pay for it."""
        place = self._place(viewer)
        if place is None:
            return
        now = self._clock()
        if len(place.viewers) > 1 and viewer.keyframe_asked is not None and now - viewer.keyframe_asked < VIEWER_KEYFRAME:
            viewer.keyframe_owed = True
            return
        self._keyframe(viewer, place, now)

    def estimated(self, viewer: Viewer) -> None:
        """What a viewer's line carries has changed."""
        place = self._place(viewer)
        if place is not None:
            self._rate(place)

    def look(self) -> None:
        """Now and then: moves viewers whose lines have been slow, or fast again, for long."""
        now = self._clock()
        for viewer in list(self.viewers):
            self._drops.add("line_full", viewer.look())
            place = self._place(viewer)
            if place is None:
                continue
            if place.egress.awaits_keyframe(viewer.peer):
                # The one that was made for it was lost, or of a time that it had had of another rendition.
                viewer.keyframe_owed = True
            if viewer.keyframe_owed and viewer.keyframe_asked is not None and now - viewer.keyframe_asked >= VIEWER_KEYFRAME:
                self._keyframe(viewer, place, now)
            kind = self._better(viewer, place, now)
            if kind is not None:
                self._take(viewer)
                self._put(viewer, kind)

    def receivers(self, rendition: Rendition) -> int:
        return next((len(place.viewers) for place in self._places.values() if place.rendition is rendition), 0)

    def _egresses(self) -> Iterator[WebRtcEgress]:
        yield self._listeners
        for place in self._places.values():
            yield place.egress

    def _place(self, viewer: Viewer) -> _Place | None:
        return self._places.get((viewer.codec, viewer.rendition))

    def _put(self, viewer: Viewer, kind: Kind) -> None:
        key = (viewer.codec, kind.name)
        if key not in self._places and len(self._places) >= self._limits.max_renditions:
            # A codec that somebody needs comes before slow lines.
            self._join()
        place = self._places.get(key)
        if place is None:
            egress = self._make_egress(viewer.codec)
            place = self._places[key] = _Place(self._make_rendition(kind, egress), egress, [])
            self._pipeline.add(place.rendition)
        viewer.rendition, viewer.changing_since = kind.name, None
        place.viewers.append(viewer)
        place.egress.add(viewer.peer)
        self._rate(place)
        self._keyframe(viewer, place, self._clock())

    def _join(self) -> None:
        """Sends everybody the main rendition."""
        for viewer in list(self.viewers):
            if viewer.rendition == SMALL.name:
                self._take(viewer)
                self._put(viewer, MAIN)

    def _take(self, viewer: Viewer) -> None:
        name, viewer.rendition = viewer.rendition, ""
        place = self._places[viewer.codec, name]
        place.viewers.remove(viewer)
        place.egress.remove(viewer.peer)
        if place.viewers:
            self._rate(place)
            return
        del self._places[viewer.codec, name]
        self._pipeline.remove(place.rendition)
        if name == MAIN.name:
            # Those whom it was too much for are now all there are.
            for other in list(self.viewers):
                if other.codec == viewer.codec and other.rendition == SMALL.name:
                    self._take(other)
                    self._put(other, MAIN)

    def _keyframe(self, viewer: Viewer, place: _Place, now: int) -> None:
        viewer.keyframe_asked, viewer.keyframe_owed = now, False
        place.rendition.request_keyframe()

    def _rate(self, place: _Place) -> None:
        """The slowest line decides, but for one that is far below the others: that one loses pictures, and nobody else does."""
        estimates = [estimate for viewer in place.viewers if (estimate := viewer.estimate) is not None]
        if estimates:
            rate = max(min(estimates), int(SLOW * median(estimates)))
            place.rendition.bitrate = max(MIN_BITRATE, min(rate, self._limits.max_bitrate))

    def _better(self, viewer: Viewer, place: _Place, now: int) -> Kind | None:
        """Where the viewer should have been for a while now, if not where it is."""
        estimate = viewer.estimate
        if estimate is None:
            return None
        if viewer.rendition == MAIN.name:
            others = [e for other in place.viewers if (e := other.estimate) is not None]
            unfit = len(others) > 1 and estimate < SLOW * median(others) and self._room(viewer.codec)
            patience, kind = SLOW_AFTER, SMALL
        else:
            main = self._places.get((viewer.codec, MAIN.name))
            unfit = main is None or estimate >= FAST * main.rendition.bitrate
            patience, kind = FAST_AFTER, MAIN
        if not unfit:
            viewer.changing_since = None
            return None
        if viewer.changing_since is None:
            viewer.changing_since = now
        return kind if now - viewer.changing_since >= patience else None

    def _room(self, codec: str) -> bool:
        return (codec, SMALL.name) in self._places or len(self._places) < self._limits.max_renditions
