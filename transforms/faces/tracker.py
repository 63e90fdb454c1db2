"""Follows faces from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from transforms.faces.blendshapes import Blendshapes
from transforms.faces.detector import CLOSE_UP, SAME_OVERLAP, SURE_SCORE, Detector, close_ups
from transforms.faces.face import Detection, Face, FaceBox, Tracking
from transforms.faces.landmarks import Landmarker, Reading, placement_of
from transforms.faces.one_euro import OneEuro
from transforms.faces.sampling import Placement
from transforms.frame import Box, Frame, Planes

if TYPE_CHECKING:
    from transforms.context import Context

MOST_FACES = 6
"""Faces followed at once: each costs a run of the landmark network."""

PRESENT = 0.5
"""Presence from which a crop holds a face."""

DISCOVERY = 0.5
"""Seconds between two looks for further faces while one is followed: a newcomer waits this long for its make-up."""

MEMORY = 1.0
"""Seconds for which the place of a lost face is remembered, so that it gets its id back."""

DUPLICATE = 0.5
"""Overlap from which two followed faces are one."""

CLOSE_UPS = 3
"""Taken in a frame where no face is followed, of the eight that cover a 16:9 picture; each costs as much as looking at
the whole. Where faces are followed it is one, so that both kinds of frame take about equally long."""

REFUSAL = 0.3
"""Seconds before a place is tried again where the detector saw a face and the landmark network none (a pumpkin, a logo)."""

SMOOTHING = (1.0, 30.0, 1.0)
"""One-Euro: least cut-off in Hz, Hz per face width a second, Hz for the speed: steady at rest, no lag on lips."""

NOTE = "faces"
"""Key of the Tracking among a frame's notes."""


@dataclass(slots=True, eq=False)
class _Track:
    id: int
    reading: Reading
    smoother: OneEuro = field(default_factory=lambda: OneEuro(*SMOOTHING))


class FaceTracker:
    """The faces of one stream, for all its transforms: a frame is tracked once, whoever asks first.

    The landmark network runs for every followed face in every frame, from where its points were last; the detector runs
    when a face was lost, when none is known, every ``DISCOVERY`` seconds, or when a caller wants it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tracks: list[_Track] = []
        self._lost: list[tuple[float, int, FaceBox]] = []
        self._next_id = 1
        self._size = (0, 0)
        self._refused: list[tuple[float, FaceBox]] = []
        self._searched: float | None = None
        self._turn = 0
        self._shapes: dict[int, Tensor] = {}
        self._detector: Detector
        self._landmarker: Landmarker
        self._blendshapes: Blendshapes

    def prepare(self) -> None:
        """Loads the networks and runs each once. Blocks; raises what ``Context.network`` raises."""
        device = self._context.device
        self._detector = Detector(self._context.network("face_detector"), device)
        self._landmarker = Landmarker(self._context.network("face_landmarks"))
        self._blendshapes = Blendshapes(self._context.network("face_blendshapes"), device)
        grey = Frame(
            Planes(*(torch.full(size, 128, dtype=torch.uint8, device=device) for size in ((128, 128), (64, 64), (64, 64))))
        )
        self._detector(grey)
        self._landmarker(grey, [Placement(64.0, 64.0, 96.0, 0.0)])
        self._blendshapes(torch.rand((478, 3), generator=torch.Generator().manual_seed(0)).to(device) * 128)

    def track(self, frame: Frame, *, closely: Sequence[Box] | None = None) -> Tracking:
        """The faces in the frame.

        Who names areas, or an empty list of them, has the detector look at this frame in any case, and closer there.
        """
        size = (frame.width, frame.height)
        known = frame.notes.get(NOTE)
        if isinstance(known, Tracking) and known.size == size:
            if closely is not None and not known.detected:
                known = replace(known, detections=tuple(self._detector(frame, closely)), detected=True)
                frame.notes[NOTE] = known
            return known
        tracking = self._track(frame, size, closely)
        frame.notes[NOTE] = tracking
        return tracking

    def look(self, frame: Frame, areas: Sequence[Box] = ()) -> list[Detection]:
        """What the detector sees in the frame as it is now, changed or not, and closer in these areas; follows nothing."""
        return self._detector(frame, areas)

    def blendshapes(self, face: Face) -> Tensor:
        """(52,) coefficients of a face of the latest frame, on its device; computed when first asked for."""
        if face.id not in self._shapes:
            self._shapes[face.id] = self._blendshapes(face.landmarks)
        return self._shapes[face.id]

    def _track(self, frame: Frame, size: tuple[int, int], closely: Sequence[Box] | None) -> Tracking:
        now = _seconds(frame)
        self._shapes.clear()
        if size != self._size:
            self._resize(size, now)
        before = self._tracks
        self._tracks = self._follow(frame, before, now)
        further = len(self._tracks) < MOST_FACES and self._due(now)
        detected = closely is not None or further or not self._tracks or len(self._tracks) < len(before)
        detections: tuple[Detection, ...] = ()
        if detected:
            detections = self._search(frame, now, closely or ())
            self._begin(frame, detections, now)
        faces = tuple(
            Face(
                track.id,
                track.smoother(track.reading.points, now, max(track.reading.box.side, 1.0)).to(frame.device, non_blocking=True),
                track.reading.presence,
                track.reading.box,
                track.reading.outline,
            )
            for track in self._tracks
        )
        return Tracking(faces, detections, detected, size)

    def _search(self, frame: Frame, now: float, closely: Sequence[Box]) -> tuple[Detection, ...]:
        """Runs the detector on the whole frame and on some areas: those asked for, or the close-ups whose turn it is."""
        self._searched = now
        if not closely:
            areas = close_ups(frame.width, frame.height, CLOSE_UP)
            count = min(1 if self._tracks else CLOSE_UPS, len(areas))
            closely = [areas[(self._turn + i) % len(areas)] for i in range(count)]
            self._turn = (self._turn + count) % len(areas)
        return tuple(self._detector(frame, closely))

    def _due(self, now: float) -> bool:
        return self._searched is None or not 0 <= now - self._searched < DISCOVERY

    def _follow(self, frame: Frame, tracks: list[_Track], now: float) -> list[_Track]:
        """The tracks that are found again near to where they were; the others become memories."""
        followed: list[_Track] = []
        for track, reading in zip(tracks, self._landmarker(frame, [t.reading.placement for t in tracks]), strict=True):
            if reading is not None and self._credible(reading) and not _among(reading.box, followed):
                track.reading = reading
                followed.append(track)
            else:
                self._lose(track, now)
        return followed

    def _begin(self, frame: Frame, detections: tuple[Detection, ...], now: float) -> None:
        """Follows what was detected and is not followed yet, if the landmark network sees a face there too."""
        self._refused = [(when, box) for when, box in self._refused if 0 <= now - when < REFUSAL]
        known = [track.reading.box for track in self._tracks] + [box for _, box in self._refused]
        fresh = [d for d in detections if d.score >= SURE_SCORE and not any(d.box.overlap(box) >= SAME_OVERLAP for box in known)]
        fresh = fresh[: MOST_FACES - len(self._tracks)]
        for detection, reading in zip(fresh, self._landmarker(frame, [placement_of(d) for d in fresh]), strict=True):
            if reading is None or not self._credible(reading):
                self._refused = [*self._refused[-(MOST_FACES - 1) :], (now, detection.box)]
            elif not _among(reading.box, self._tracks):
                self._tracks.append(_Track(self._identify(reading.box, now), reading))
        self._tracks.sort(key=lambda track: track.id)

    def _credible(self, reading: Reading) -> bool:
        x, y = reading.box.centre
        width, height = self._size
        inside = 0 <= x <= width and 0 <= y <= height
        return reading.presence >= PRESENT and inside and reading.box.side <= 2 * max(width, height)

    def _identify(self, box: FaceBox, now: float) -> int:
        """The id of a face lost near here a moment ago, or a new one."""
        self._lost = [memory for memory in self._lost if 0 <= now - memory[0] < MEMORY]
        near = min(self._lost, key=lambda memory: memory[2].distance(box), default=None)
        if near is not None and near[2].distance(box) < near[2].side:
            self._lost.remove(near)
            return near[1]
        self._next_id += 1
        return self._next_id - 1

    def _lose(self, track: _Track, now: float) -> None:
        self._lost = [*self._lost[-(MOST_FACES - 1) :], (now, track.id, track.reading.box)]

    def _resize(self, size: tuple[int, int], now: float) -> None:
        """Starts afresh: a phone was turned, or the sender scales. A face in the same part of the picture keeps its id."""
        for track in self._tracks:
            self._lose(track, now)
        self._tracks, self._refused, self._searched = [], [], None
        if all(self._size):
            across, down = size[0] / self._size[0], size[1] / self._size[1]
            self._lost = [
                (when, id_, FaceBox(box.left * across, box.top * down, box.right * across, box.bottom * down))
                for when, id_, box in self._lost
            ]
        self._size = size


def _among(box: FaceBox, tracks: list[_Track]) -> bool:
    return any(box.overlap(track.reading.box) >= DUPLICATE for track in tracks)


def _seconds(frame: Frame) -> float:
    return float(Fraction(frame.pts) * frame.time_base)
