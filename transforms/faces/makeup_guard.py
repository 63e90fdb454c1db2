"""What covers a face: hands in front of lips and eyes, which must not be painted.

The landmark network says where lips would be behind a hand, and is as sure as ever. So the colours at some anchors on the
lips and around the eyes are remembered, each for itself, as one lip is lit and the other is not. An anchor is covered when
what is there now looks less like what was there than like skin, and in its neighbourhood the same is asked of each pixel.
What is skin in any case cannot be told from a hand this way: of blush, the side whose lips or lids are covered gives way.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.faces.makeup_paint import Area
from transforms.faces.makeup_shapes import CHEEK_ANCHORS, SIDES
from transforms.frame import Box, Frame

LEARNING = 2.0
"""Seconds in which the memory of an anchor has followed a change by 63 %, while it is not covered."""

LEAST_LEARNING = 0.02
"""By that, how fast it learns while it is: what stays for a minute is no hand."""

COVERING, UNCOVERING = 0.02, 0.05
"""Seconds in which an anchor's being covered, or not any more, has come 63 % of its way: hands are quick, noise is less seen."""

LUMA, LUMA_LEAST, CHROMA = 0.08, 4.0, 1.2
"""Deviations of what is the same: of luma by itself, and codes; of chroma, codes."""

BRIGHTER = 0.4
"""What a difference counts by which something is brighter than the face's skin: a hand is nearer to the light."""

FARTHEST = 12.0
"""Squared distance, in deviations, beyond which different is different."""

EVIDENCE = 4.0
"""How much nearer to skin than to the memory: from half of it an anchor is covered in part, from one and a half wholly."""

NEAR = 3.0
"""Covered anchors vouch for their neighbours: an area is given up to pixels from a third of its anchors on."""

PRIOR = 0.9
"""What covered anchors around it add to the evidence of a pixel."""

NOTICED = 0.1
"""From this on an anchor counts as covered, and pixels are looked at."""

GAIN = (0.7, 1.4)
"""Most that light may change against the memory of it."""

DIM, DIMMING, LEAST_LIGHT = 60.0, 1.4, 0.2
"""Luma of cheeks below which it is dark, by which power of it a pigment gets darker, and how dark at most."""

TAPS = 1 / 60
"""Distance of the three by three pixels of which an anchor is the mean, by the face's width."""


class Guard:
    """Of one face, from its first frame on. ``look`` at each further one, then ask."""

    def __init__(self, frame: Frame, anchors: Tensor, width: float) -> None:
        """``anchors`` (98, 2) in frame px, in the order of the shapes; ``width`` is the face's."""
        self._anchors = anchors
        self._expected = self._known = _sampled(frame, anchors, width * TAPS)
        self._skin = _skin(self._known)
        self._covered = torch.zeros(len(anchors), device=anchors.device)
        self._any = False

    def look(self, frame: Frame, anchors: Tensor, width: float, elapsed: float) -> None:
        """The next frame, so many seconds later."""
        now = _sampled(frame, anchors, width * TAPS)
        self._anchors, self._skin = anchors, _skin(now)
        # What befalls the whole face is light.
        gain = (now[:, 0] / self._known[:, 0].clamp(min=8.0)).median().clamp(*GAIN)
        self._expected = self._known * gain
        covered = _evidence(now.T, self._expected.T, self._skin).clamp_(0.0, 1.0)
        shares = torch.where(covered > self._covered, _share(elapsed, COVERING), _share(elapsed, UNCOVERING))
        self._covered = torch.lerp(self._covered, covered, shares)
        learning = (1 - covered * 1.5).clamp_(min=LEAST_LEARNING) * _share(elapsed, LEARNING)
        self._known = torch.lerp(self._known, now, learning[:, None])
        self._any = self._some(slice(0, CHEEK_ANCHORS.start))

    @property
    def covered(self) -> Tensor:
        """(98,) how far each anchor is covered, 0 to 1."""
        return self._covered

    @property
    def light(self) -> float:
        """How much of ordinary light there is on the face: 1, or less where even dark skin would not be so dark."""
        share = min(1.0, max(0.0, float(self._skin[0]) / DIM))
        return max(LEAST_LIGHT, math.pow(share, DIMMING))

    def visible(self, which: slice, area: Area, box: Box) -> Tensor | None:
        """(h, w) 1 where the face is seen and 0 where something covers it; None where nothing does.

        ``area`` is at the chroma's size, ``box`` its place in px of the chroma.
        """
        if not self._any or not self._some(which):
            return None
        anchors, expected, covered = self._anchors[which] / 2, self._expected[which], self._covered[which]
        x = torch.arange(box.left, box.right, device=anchors.device) + 0.5
        y = torch.arange(box.top, box.bottom, device=anchors.device) + 0.5
        far = (x[None, None] - anchors[:, 0, None, None]).square() + (y[None, :, None] - anchors[:, 1, None, None]).square()
        reach = _spacing(anchors)
        weights = (far.flatten(1) * (-0.5 / reach.square())).softmax(0)
        maps = (torch.cat((expected, covered[:, None]), 1).T @ weights).reshape(4, *area.y.shape)
        # Alone, a pixel says little: where all around is covered, so is it, unless it speaks against it.
        hand = _evidence(torch.cat((area.y[None], area.uv)), maps[:3], self._skin)
        hand = hand.add_(maps[3] * PRIOR).clamp_(0.0, 1.0).mul_((maps[3] * NEAR).clamp_(max=1.0))
        return 1 - F.avg_pool2d(hand[None], 3, 1, 1, count_include_pad=False)[0]

    def _some(self, which: slice) -> bool:
        return bool((self._covered[which] > NOTICED).any())

    def sides(self) -> Tensor:
        """(2,) how much of the right and of the left side is seen, judged by its lips and lids."""
        return (1 - 2 * (SIDES.to(self._covered.device) @ self._covered)).clamp(min=0.0)


def _evidence(now: Tensor, expected: Tensor, skin: Tensor) -> Tensor:
    """(3, ...) colours, and what they should be, to how far they are a hand's rather: not at 0, and certainly from 1."""
    skin = skin.reshape(3, *[1] * (now.dim() - 1))
    deviation = (expected[0].clamp(min=0.0) * LUMA).add_(LUMA_LEAST)
    change, other = now - expected, now - skin
    lighter = torch.where(other[0] > 0, other[0] * BRIGHTER, other[0])
    chroma = 1 / CHROMA**2
    same = (change[0] / deviation).square().add_(change[1:].square().sum(0), alpha=chroma).clamp_(max=FARTHEST)
    hand = (lighter / deviation).square().add_(other[1:].square().sum(0), alpha=chroma).clamp_(max=FARTHEST)
    return same.sub_(hand).div_(EVIDENCE).sub_(0.5)


def _skin(colours: Tensor) -> Tensor:
    """(3,) that of the cheeks, even where some of them is covered."""
    return colours[CHEEK_ANCHORS].median(0).values


def _share(elapsed: float, constant: float) -> float:
    return 1 - math.exp(-max(0.0, elapsed) / constant)


def _sampled(frame: Frame, anchors: Tensor, distance: float) -> Tensor:
    """(A, 3) mean Y from black on, and U and V about 0."""
    steps = torch.arange(-1, 2, device=anchors.device) * distance
    x = (anchors[:, 0, None] + steps).nan_to_num(0.0).long().clamp_(0, frame.width - 1)[:, None, :]
    y = (anchors[:, 1, None] + steps).nan_to_num(0.0).long().clamp_(0, frame.height - 1)[:, :, None]
    luma, u, v = frame.planes
    half = (y // 2, x // 2)
    means = torch.stack((luma[y, x], u[half], v[half])).float().mean((2, 3)).T
    return means - torch.tensor([frame.color.black, 128.0, 128.0], device=anchors.device)


def _spacing(anchors: Tensor) -> Tensor:
    """About how far anchors are apart, px."""
    return ((anchors.amax(0) - anchors.amin(0)).prod() / len(anchors)).sqrt().clamp(min=0.5) * 0.6
