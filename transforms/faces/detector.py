"""Where faces may be: the BlazeFace short-range detector on a picture of 128 x 128.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from transforms.faces.face import Detection, FaceBox
from transforms.faces.sampling import shrink
from transforms.frame import Box, Frame
from transforms.models.runtime import Network

SIZE = 128
"""Side of the network's input, px."""

LAYERS = ((16, 2), (8, 6))
"""(cells per side, anchors per cell) of the two feature maps: 512 + 384 anchors."""

SCORE_LIMIT = 100.0
"""Logits are clipped here before the sigmoid, as in training."""

LOWEST_SCORE = 0.4
"""Below this a detection is noise: faces upside down, half hidden, dark or blurred were never below 0.46. Between this and
``SURE_SCORE`` it may be a face: good enough to cover, not to follow."""

SURE_SCORE = 0.5
"""From this on a detection is a face."""

SAME_OVERLAP = 0.3
"""Intersection over union from which two boxes are one face."""

CLOSE_UP = 0.6
"""Side of a close-up as a share of the picture's shorter side: finds faces from about 4 % of the width of a 16:9 picture."""

MOST_CANDIDATES = 100
"""Boxes looked at, best first: six faces draw about ten each, and what a hostile picture draws must not cost more."""

MARGIN = 0.2
"""Share of a close-up that lies in its neighbour as well, so that a face on the seam is whole in one of them."""


def anchors() -> Tensor:
    """(896, 2) centres x, y in px of the input, row by row."""
    layers = []
    for cells, count in LAYERS:
        at = (torch.arange(cells) + 0.5) * (SIZE / cells)
        y, x = torch.meshgrid(at, at, indexing="ij")
        layers.append(torch.stack((x, y), -1).reshape(-1, 1, 2).expand(-1, count, 2).reshape(-1, 2))
    return torch.cat(layers)


def close_ups(width: int, height: int, share: float) -> tuple[Box, ...]:
    """Overlapping squares that cover a picture, their side that share of its shorter side."""
    side = max(2, round(min(width, height) * share))

    def starts(length: int) -> list[int]:
        if length <= side:
            return [0]
        count = math.ceil((length - side) / (side * (1 - MARGIN))) + 1
        return [round((length - side) * i / (count - 1)) // 2 * 2 for i in range(count)]

    corners = [(left, top) for top in starts(height) for left in starts(width)]
    return tuple(Box(left, top, left + side + 1, top + side + 1).on_chroma_grid(width, height) for left, top in corners)


def merge(detections: Sequence[Detection]) -> list[Detection]:
    """One detection per face of one picture, best first: boxes that overlap become their average, weighted by score, which
    trembles less from frame to frame than the best one alone (BlazeFace, section 3.4)."""
    rest = sorted(detections, key=lambda d: d.score, reverse=True)[:MOST_CANDIDATES]
    merged: list[Detection] = []
    while rest:
        best = rest[0]
        same = [d for d in rest if d is best or d.box.overlap(best.box) >= SAME_OVERLAP]
        rest = [d for d in rest if not any(d is one for one in same)]
        total = sum(d.score for d in same)

        def mean(values: Sequence[float], same: Sequence[Detection] = same, total: float = total) -> float:
            return sum(d.score * value for d, value in zip(same, values, strict=True)) / total

        box = FaceBox(*(mean([d.box[i] for d in same]) for i in range(4)))
        points = tuple(
            (mean([d.keypoints[i][0] for d in same]), mean([d.keypoints[i][1] for d in same])) for i in range(len(best.keypoints))
        )
        merged.append(Detection(box, points, best.score))
    return merged


def distinct(detections: Sequence[Detection]) -> list[Detection]:
    """The best of each group that overlaps, best first: a close-up places a small face better than the whole, so an average
    of the two would only be worse."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: d.score, reverse=True):
        if not any(detection.box.overlap(other.box) >= SAME_OVERLAP for other in kept):
            kept.append(detection)
    return kept


class Detector:
    """Finds faces in frames. One per stream and thread."""

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._anchors = anchors()

    def __call__(self, frame: Frame, areas: Sequence[Box] = ()) -> list[Detection]:
        """The faces in a frame, best first, from ``LOWEST_SCORE`` on; besides the whole, in these areas of it.

        Raises RuntimeError when the network's answer is no number: who hides faces must not take that for "none".
        """
        boxes = (frame.box, *areas)
        pictures = torch.full((len(boxes), SIZE, SIZE, 3), -1.0, device=self._device)
        placed = []
        for picture, box in zip(pictures, boxes, strict=True):
            scale = SIZE / max(box.width, box.height)
            width, height = max(1, round(box.width * scale)), max(1, round(box.height * scale))
            left, top = (SIZE - width) // 2, (SIZE - height) // 2
            rgb = shrink(frame, box, width, height)
            torch.sub(rgb.permute(1, 2, 0) * 2, 1, out=picture[top : top + height, left : left + width])
            placed.append((left, top, box.width / width, box.height / height))
        regressors, logits = self._network(pictures)
        # One transfer, then everything on the host: a device would spend more on launching than on computing.
        answer = torch.cat((regressors.reshape(len(boxes), -1, 16), logits.reshape(len(boxes), -1, 1)), 2).float().cpu()
        if not bool(torch.isfinite(answer).all()):
            raise RuntimeError("the face detector answered with something that is no number")
        found: list[Detection] = []
        for values, box, (left, top, across, down) in zip(answer, boxes, placed, strict=True):
            found += merge(self._decode(values, box.left - left * across, box.top - top * down, across, down))
        return distinct(found)

    def _decode(self, values: Tensor, left: float, top: float, across: float, down: float) -> list[Detection]:
        """(896, 17) to frame px, where the input's corner lies at left, top and its px are across x down."""
        scores = values[:, 16].clamp(-SCORE_LIMIT, SCORE_LIMIT).sigmoid()
        chosen = torch.nonzero(scores >= LOWEST_SCORE)[:, 0]
        if len(chosen) == 0:
            return []
        if len(chosen) > MOST_CANDIDATES:
            chosen = chosen[scores[chosen].topk(MOST_CANDIDATES).indices]
        points = values[chosen, :16].reshape(-1, 8, 2)
        points[:, 0] += self._anchors[chosen]
        points[:, 2:] += self._anchors[chosen, None]
        scale, corner = torch.tensor([across, down]), torch.tensor([left, top])
        points *= scale
        points[:, 0] += corner
        points[:, 2:] += corner
        found = []
        for score, ((x, y), (width, height), *keypoints) in zip(scores[chosen].tolist(), points.tolist(), strict=True):
            half_width, half_height = abs(width) / 2, abs(height) / 2
            box = FaceBox(x - half_width, y - half_height, x + half_width, y + half_height)
            found.append(Detection(box, tuple((px, py) for px, py in keypoints), score))
        return found
