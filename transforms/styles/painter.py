"""Paints whole pictures in 26 styles, or a mixture of them, and steadily from one frame to the next.

Source: Dumoulin, Shlens, Kudlur, "A Learned Representation for Artistic Style", 2017: one network, of which each style has
its own scales and offsets for what instance normalization leaves; a mixture of styles is a mixture of these.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.onnx_weights import read_weights
from transforms.models.store import Store

NETWORK = "multistyle26"

STYLES = 26

EPSILON = 1e-5
"""Added to variances, as in training."""

RESIDUALS = 6
"""Blocks in the middle of the network, at a quarter of the size."""

SMALLEST = 32
"""px: less than this on a side, and the network's padding has nothing to mirror."""

MEMORY = 0.3
"""Seconds for which the statistics of the normalization are averaged: what enters the picture must not recolour all of it
at once. Where the picture is cut, the colours follow within that time."""


class Painter:
    """Of one stream: it remembers the last pictures' statistics, so frames come in order."""

    def __init__(self, store: Store, device: torch.device) -> None:
        """Blocks while the weights are fetched. Raises what ``Store.path`` raises."""
        self._weights = {name: tensor.to(device) for name, tensor in read_weights(store.flatbuffer(NETWORK), NETWORK).items()}
        self._statistics: dict[str, tuple[Tensor, Tensor]] = {}
        self._mixture: list[float] | None = None
        self._scales: dict[str, tuple[Tensor, Tensor]] = {}
        try:
            self(torch.zeros((3, SMALLEST, SMALLEST), device=device), [1.0] + [0.0] * (STYLES - 1), math.inf)
        except (KeyError, RuntimeError) as error:
            raise ModelRefused(f"the network {NETWORK} is another than the one written down here: {error!r}") from error
        self.forget()

    def forget(self) -> None:
        """The next picture has nothing to do with the last."""
        self._statistics.clear()

    @torch.no_grad()
    def __call__(self, picture: Tensor, mixture: list[float], elapsed: float) -> Tensor:
        """(3, h, w) RGB in [0, 1], both at least ``SMALLEST`` and multiples of 4, as a painting of the same size.

        ``mixture`` are the weights of the 26 styles, which should add up to 1; ``elapsed`` seconds since the last picture.
        """
        if mixture != self._mixture:
            self._mixture, self._scales = list(mixture), {}
        share = 1 - math.exp(-max(0.0, elapsed) / MEMORY)
        x = picture[None].contiguous(memory_format=torch.channels_last)
        x = F.relu(self._layer("contract.0", x, share))
        x = F.relu(self._layer("contract.1", x, share, stride=2))
        x = F.relu(self._layer("contract.2", x, share, stride=2))
        for block in range(RESIDUALS):
            inner = F.relu(self._layer(f"res.{block}.0", x, share))
            x = x + self._layer(f"res.{block}.1", inner, share)
        for stage in ("expand.0", "expand.1"):
            x = F.relu(self._layer(stage, F.interpolate(x, scale_factor=2, mode="nearest"), share))
        return torch.sigmoid(self._layer("expand.2", x, share))[0]

    def _layer(self, name: str, x: Tensor, share: float, stride: int = 1) -> Tensor:
        weight = self._weights[f"{name}.w"]
        x = F.conv2d(F.pad(x, (weight.shape[2] // 2,) * 4, mode="reflect"), weight, stride=stride)
        mean, variance = _moments(x)
        if name in self._statistics:
            old_mean, old_variance = self._statistics[name]
            mean, variance = torch.lerp(old_mean, mean, share), torch.lerp(old_variance, variance, share)
        self._statistics[name] = mean, variance
        gamma, beta = self._scale(name)
        factor = gamma * torch.rsqrt(variance + EPSILON)
        return torch.addcmul(beta - mean * factor, x, factor)

    def _scale(self, name: str) -> tuple[Tensor, Tensor]:
        if name not in self._scales:
            assert self._mixture is not None  # set by every call
            gamma, beta = (self._weights[f"{name}.norm.{part}"] for part in ("gamma", "beta"))
            weights = torch.tensor(self._mixture, device=gamma.device)
            self._scales[name] = (weights @ gamma)[None, :, None, None], (weights @ beta)[None, :, None, None]
        return self._scales[name]


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, over rows of pixels: torch's own of channels-last takes twenty times as long."""
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    mean = rows.mean(0)
    variance = ((rows * rows).mean(0) - mean * mean).clamp_(min=0.0)
    return mean[None, :, None, None], variance[None, :, None, None]


def canvas(width: int, height: int, lines: int) -> tuple[int, int]:
    """Width and height to paint a frame at: about as many pixels as 16:9 with that many lines has, and no more than the
    frame itself; multiples of 4."""
    scale = min(1.0, math.sqrt(lines * lines * 16 / 9 / (width * height)))
    across, down = (max(SMALLEST, min(4 * lines, round(side * scale / 4) * 4)) for side in (width, height))
    return across, down
