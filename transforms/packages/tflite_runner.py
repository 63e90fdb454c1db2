"""Networks from a TensorFlow Lite flatbuffer: LiteRT on a CPU, torch elsewhere. Inputs and outputs are in the file's order."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.runtime import Network
from transforms.packages.limits import MAX_BATCH
from transforms.packages.manifest import Manifest
from transforms.packages.runner import Shape, in_order, named, numbers
from transforms.packages.tensors import elements, shape_of, told


class TfliteRunner:
    """One interpreter: for one thread."""

    def __init__(self, manifest: Manifest, path: Path, device: torch.device) -> None:
        self._manifest = manifest
        self._numbers = numbers(manifest)
        self._network: Network
        if device.type == "cpu":
            from transforms.models.litert import LiteRtNetwork

            self._network = LiteRtNetwork(path.read_bytes(), manifest.id)
            self.name = f"LiteRT {version('ai-edge-litert')}"
        else:
            from transforms.models.flatbuffer import TorchNetwork, graph

            self._network = TorchNetwork(graph(path.read_bytes(), manifest.id, device))
            self.name = f"torch {torch.__version__}"
        self.most = MAX_BATCH
        self._check()

    def __call__(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Shape]) -> dict[str, Tensor]:
        given = [
            tensor.reshape(len(tensor), *shape[1:]) if described.name in self._numbers else tensor
            for described, tensor, shape in zip(
                self._manifest.inputs, in_order(self._manifest, inputs), self._network.inputs, strict=True
            )
        ]
        try:
            answers = self._network(*given)
        except (ValueError, RuntimeError) as error:
            raise ModelRefused(f"the network of {self._manifest.id} failed: {error}") from error
        # An embedding, say, comes as (batch, 1, 1, 512).
        shapes = [outputs.get(output.name) for output in self._manifest.outputs]
        if len(answers) == len(shapes):
            answers = tuple(
                answer.reshape(shape) if shape and answer.numel() == torch.Size(shape).numel() else answer
                for answer, shape in zip(answers, shapes, strict=True)
            )
        return named(self._manifest, answers, outputs)

    def _check(self) -> None:
        """Raises ModelRefused where the flatbuffer's inputs are not those of model.toml."""
        height, width = self._manifest.picture_size
        described, there = self._manifest.inputs, self._network.inputs
        if (len(described), len(self._manifest.outputs)) != (len(there), len(self._network.outputs)):
            raise ModelRefused(
                f"the network of {self._manifest.id} has {len(there)} inputs and {len(self._network.outputs)} outputs; "
                f"model.toml has {len(described)} and {len(self._manifest.outputs)}"
            )
        for tensor, shape in zip(described, there, strict=True):
            wanted = shape_of(tensor, height, width)
            count = self._numbers[tensor.name].length if wanted is None else elements(wanted)
            if torch.Size(shape).numel() != count or (wanted is not None and len(wanted) > 1 and shape[1:] != wanted):
                raise ModelRefused(
                    f"the input {tensor.name!r} of {self._manifest.id} has the shape {told(shape[1:])}, where model.toml means "
                    f"{told(wanted) if wanted else f'{count} numbers'}; TensorFlow Lite's pictures have the layout nhwc"
                )
