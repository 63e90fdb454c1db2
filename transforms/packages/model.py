"""A package's network, ready to be asked: fed by name, in batches that it can take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.meter import Meter
from transforms.packages.limits import MAX_BATCH
from transforms.packages.manifest import FrameSize, Manifest
from transforms.packages.runner import Runner
from transforms.packages.safetensors import read
from transforms.packages.tensors import EmbeddingInput, IgnoredOutput, MelInput, NumberInput, PictureInput, shape_of

Size = tuple[int, int]
"""Height and width, px."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A package in the store, whose manifest was read."""

    manifest: Manifest
    folder: Path
    sha256: str
    """Of its model.toml, which has the hashes of all the rest."""


class Model:
    """One transform's hold on a package."""

    def __init__(self, installed: Installed, runner: Runner, device: torch.device, meter: Meter | None = None) -> None:
        """``meter`` counts what it costs."""
        self.manifest = installed.manifest
        self.device = device
        self.runner = runner
        size = (installed.folder / self.manifest.weights).stat().st_size
        self._stopwatch = (meter or Meter()).stopwatch(self.manifest.id, device, size)
        self.projections = {
            given.name: _projection(installed, given).to(device)
            for given in self.manifest.inputs
            if isinstance(given, EmbeddingInput) and given.projection
        }
        """Matrices by the input that they belong to."""

    def __call__(self, inputs: Mapping[str, Tensor], size: Size) -> dict[str, Tensor]:
        """Every output but those that are ignored, float32, by name; ``size`` is that of the pictures that go in.

        Raises ModelRefused where the network fails, or answers something that is no number.
        """
        count = len(next(iter(inputs.values())))
        step = min(self.runner.most, MAX_BATCH)
        answers = []
        for first in range(0, count, step):
            part = {name: tensor[first : first + step] for name, tensor in inputs.items()}
            answers.append(self._stopwatch.run(self.runner, part, self._shapes(min(step, count - first), size)))
        joined = {name: torch.cat([answer[name] for answer in answers]) for name in answers[0]}
        if not all(bool(tensor.isfinite().all()) for tensor in joined.values()):
            raise ModelRefused(f"the network of {self.manifest.id} answered with values that are no numbers")
        return joined

    def rehearse(self, batch: int = 1, size: Size | None = None) -> dict[str, Tensor]:
        """Runs it on grey, which loads and allocates what the first frame would have waited for."""
        size = size or largest(self.manifest)
        return self(sample(self.manifest, min(batch, MAX_BATCH), size, self.device), size)

    def _shapes(self, batch: int, size: Size) -> dict[str, tuple[int, ...]]:
        shapes = {}
        for output in self.manifest.outputs:
            shape = shape_of(output, *size)
            if shape is not None and not isinstance(output, IgnoredOutput):
                shapes[output.name] = (batch, *(length or 1 for length in shape))
        return shapes


def largest(manifest: Manifest) -> Size:
    """The largest pictures that the network takes."""
    height, width = manifest.picture_size
    if height is not None and width is not None:
        return height, width
    assert manifest.frame is not None  # only frames come in any size
    return fitted(manifest.frame, 1, 1)


def fitted(frame: FrameSize, height: int, width: int) -> Size:
    """The size that a frame of height x width has for the network: of about its shape, and no larger than it."""
    if frame.height is not None and frame.width is not None:
        return frame.height, frame.width
    assert frame.longest is not None  # the validator saw to it
    scale = frame.longest / max(height, width)
    if max(height, width) > 1:
        scale = min(1.0, scale)
    step = frame.multiple
    most = frame.longest // step * step
    return tuple(max(step, min(most, round(side * scale / step) * step)) for side in (height, width))  # type: ignore[return-value]


def sample(manifest: Manifest, batch: int, size: Size, device: torch.device) -> dict[str, Tensor]:
    """Inputs of the right shapes that stand for a dull case: a grey picture, nobody in particular, half of every range."""
    inputs = {}
    for given in manifest.inputs:
        shape = shape_of(given, *size) or (1,)
        value = 0.5
        if isinstance(given, PictureInput):
            value = sum(given.range) / 2 if given.mean is None else 0.0
        elif isinstance(given, MelInput):
            value = given.range[0]
        elif isinstance(given, EmbeddingInput):
            value = given.length**-0.5
        elif isinstance(given, NumberInput):
            inputs[given.name] = number(given, 0.5).expand(batch, -1).to(device)
            continue
        inputs[given.name] = torch.full((batch, *(length or 1 for length in shape)), value, device=device)
    return inputs


def number(given: NumberInput, amount: float) -> Tensor:
    """(1, length): the fixed numbers, or the one that stands for an amount in [0, 1]."""
    if given.value is not None:
        return torch.tensor([given.value])
    assert given.amount is not None  # the validator saw to it
    low, high = given.amount
    return torch.tensor([[low + (high - low) * amount]])


def _projection(installed: Installed, given: EmbeddingInput) -> Tensor:
    assert given.projection is not None  # the caller looked
    found = read(installed.folder / given.projection.file).get(given.projection.tensor)
    if found is None or tuple(found.shape) != (given.length, given.length):
        raise ModelRefused(
            f"{given.projection.file} of {installed.manifest.id} has no matrix {given.projection.tensor!r} of "
            f"{given.length} x {given.length}"
        )
    return found.float()
