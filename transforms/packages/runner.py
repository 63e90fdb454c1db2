"""Runs a package's network: ONNX Runtime, torch or LiteRT, behind one seam."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.packages import check, onnx_graph
from transforms.packages.manifest import Manifest
from transforms.packages.tensors import NumberInput

Shape = tuple[int, ...]


class Runner(Protocol):
    """A network on a device. One of ONNX or torch is shared by all streams, and may be called by several threads."""

    @property
    def name(self) -> str:
        """What runs it, with its version."""

    @property
    def most(self) -> int:
        """The largest batch that it takes at once."""

    def __call__(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Shape]) -> dict[str, Tensor]:
        """Float32 tensors of its device in by name, batch first, and out, in the shapes that are asked for.

        Raises ModelRefused where it yields other shapes, or cannot be run.
        """


class _Shared:
    """Networks by their key, for as long as somebody holds them: a second stream finds the weights loaded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loading: dict[object, threading.Lock] = {}
        self._runners: weakref.WeakValueDictionary[object, Runner] = weakref.WeakValueDictionary()

    def get(self, key: object, load: Callable[[], Runner]) -> Runner:
        with self._lock:
            own = self._loading.setdefault(key, threading.Lock())
        with own:  # two streams that begin together load once; others do not wait
            runner = self._runners.get(key)
            if runner is None:
                runner = self._runners[key] = load()
        with self._lock:
            self._loading.pop(key, None)
        return runner


_shared = _Shared()


def open_runner(manifest: Manifest, folder: Path, key: str, device: torch.device, modules: Collection[str] = ()) -> Runner:
    """The network of a package whose files were verified; ``key`` is what tells its content apart. Blocks while it loads.

    ``modules`` are the classes (``package.module:Class``) that the operator lets packages name. Raises ModelRefused for a
    network that is not what the manifest says or that cannot be run, ModelUnavailable where what runs it is not installed.
    """
    path = folder / manifest.weights
    match manifest.runtime:
        case "onnx":
            from transforms.packages.onnx_runner import OnnxRunner

            check.agree(manifest, onnx_graph.read(path))
            return _shared.get((key, device), lambda: OnnxRunner(manifest, path, device))
        case "tflite":
            from transforms.packages.tflite_runner import TfliteRunner

            return TfliteRunner(manifest, path, device)
        case _:
            from transforms.packages.torch_runner import TorchRunner, allowed

            allowed(manifest, modules)
            return _shared.get((key, device), lambda: TorchRunner(manifest, path, device))


def in_order(manifest: Manifest, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """What a network takes that knows its inputs by their place."""
    return [inputs[tensor.name] for tensor in manifest.inputs]


def named(manifest: Manifest, answers: Collection[Tensor], outputs: Mapping[str, Shape]) -> dict[str, Tensor]:
    """What such a network yields, by name. Raises ModelRefused where shapes are others."""
    if len(answers) != len(manifest.outputs):
        raise ModelRefused(f"the network of {manifest.id} yields {len(answers)} outputs; model.toml has {len(manifest.outputs)}")
    found = {output.name: answer for output, answer in zip(manifest.outputs, answers, strict=True) if output.name in outputs}
    for name, answer in found.items():
        if tuple(answer.shape) != outputs[name]:
            raise ModelRefused(
                f"the output {name!r} of {manifest.id} has the shape {tuple(answer.shape)}; model.toml means {outputs[name]}"
            )
    return {name: answer.float() for name, answer in found.items()}


def numbers(manifest: Manifest) -> dict[str, NumberInput]:
    """The inputs that are plain numbers, by name: (batch, length) of them, put into whatever shape the network takes."""
    return {tensor.name: tensor for tensor in manifest.inputs if isinstance(tensor, NumberInput)}
