"""Networks in torch, built from a TensorFlow Lite flatbuffer: differentiable, and for batches of any size.

The format is TensorFlow Lite's schema, version 3 (identifier ``TFL3``). Tensors keep its layout, NHWC.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.operator import MAX_ELEMENTS, Operator, name_of
from transforms.models.operators import BUILDERS, KNOWN_NOW
from transforms.models.runtime import Shapes, batched, check
from transforms.models.variables import STATEMENTS, Variables, first_values

if TYPE_CHECKING:
    import tflite

MAX_PARTS = 1 << 14
"""Tensors, and operators, of one network: thirty times those of the largest known."""

_CONSTANT_TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
"""TensorType of the schema -> numpy's."""

_MALFORMED = (struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError)
"""What reading a broken flatbuffer, and running what it describes, raises."""


@dataclass(frozen=True, slots=True)
class _Step:
    function: Callable[..., Tensor]
    inputs: tuple[int, ...]
    output: int
    done_with: tuple[int, ...]
    """Tensors that nobody needs afterwards."""


class Graph:
    """What a flatbuffer describes, on a device. It has no state: any number of threads may call it.

    Raises ModelRefused where the flatbuffer is malformed, too large, or has operators that are not known here.
    """

    def __init__(self, flatbuffer: bytes, name: str, device: torch.device) -> None:
        try:
            self._build(flatbuffer, device)
            self._rehearse(device)
        except ModelRefused as error:
            raise ModelRefused(f"the network {name} cannot be run: {error}") from error
        except _MALFORMED as error:
            raise ModelRefused(f"the flatbuffer of the network {name} is malformed: {error!r}") from error

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(self._input_ids, inputs, strict=True))
        for step in self._steps:
            values[step.output] = step.function(*(values.get(i, self._constants.get(i)) for i in step.inputs))
            for used in step.done_with:
                values.pop(used, None)
        return tuple(values[i] for i in self._output_ids)

    def _build(self, flatbuffer: bytes, device: torch.device) -> None:
        import tflite

        if flatbuffer[4:8] != b"TFL3":
            raise ModelRefused("it is no TensorFlow Lite flatbuffer")
        model = tflite.Model.GetRootAs(flatbuffer, 0)
        if not 1 <= model.SubgraphsLength() <= 2:
            raise ModelRefused(f"it has {model.SubgraphsLength()} subgraphs, not one, or two where it has variables")
        graph = model.Subgraphs(0)
        self._shapes = _shapes(graph)
        self._signatures = [_signature(graph.Tensors(i), shape) for i, shape in enumerate(self._shapes)]
        self._input_ids = [int(i) for i in graph.InputsAsNumpy()]
        self._output_ids = [int(i) for i in graph.OutputsAsNumpy()]
        self.inputs: Shapes = tuple(self._shapes[i] for i in self._input_ids)
        self.outputs: Shapes = tuple(batched(self._shapes[i]) for i in self._output_ids)

        constants = _constants(model, graph, self._shapes)
        variables = Variables(_first_values(model))
        steps: list[tuple[Callable[..., Tensor], list[int], int]] = []
        unknown = set()
        for index in range(graph.OperatorsLength()):
            raw = graph.Operators(index)
            if name_of(model.OperatorCodes(raw.OpcodeIndex())) in STATEMENTS:
                variables.take(model, raw, constants)
                continue
            operator = Operator(model, raw, self._shapes, constants, self._signatures)
            if operator.name in KNOWN_NOW:
                constants[operator.output] = KNOWN_NOW[operator.name](operator)
            elif operator.name not in BUILDERS:
                unknown.add(operator.name)
            elif operator.is_constant:
                function = BUILDERS[operator.name](operator)
                constants[operator.output] = function(*(constants.get(i) for i in operator.inputs))
            else:
                steps.append((BUILDERS[operator.name](operator), operator.inputs, operator.output))
        if unknown:
            raise ModelRefused(f"it has operators that are not known here: {', '.join(sorted(unknown))}")

        used = {i for _, inputs, _ in steps for i in inputs}
        self._constants = {i: constant.to(device) for i, constant in constants.items() if i in used}
        last = {i: number for number, (_, inputs, _) in enumerate(steps) for i in inputs}
        for i in self._output_ids:
            last[i] = len(steps)
        self._steps = [
            _Step(function, tuple(inputs), output, tuple(i for i in set(inputs) if last[i] == number))
            for number, (function, inputs, output) in enumerate(steps)
        ]

    @torch.no_grad()
    def _rehearse(self, device: torch.device) -> None:
        """One run on zeros: every tensor must have the shape that the flatbuffer says."""
        values = {i: torch.zeros(self._shapes[i], device=device) for i in self._input_ids}
        for step in self._steps:
            value = step.function(*(values.get(i, self._constants.get(i)) for i in step.inputs))
            if not self._fits(tuple(value.shape), step.output):
                raise ModelRefused(f"an operator yields {tuple(value.shape)} instead of {self._shapes[step.output]}")
            values[step.output] = value
        for i in self._output_ids:
            if i not in values:
                raise ModelRefused("nothing computes its output")

    def _fits(self, shape: tuple[int, ...], tensor: int) -> bool:
        """Whether it is the shape of the flatbuffer, whose -1 stands for any length."""
        if shape in (self._shapes[tensor], batched(self._shapes[tensor])):
            return True
        signature = self._signatures[tensor]
        free = len(shape) == len(signature) and all(b in (-1, a) for a, b in zip(shape, signature, strict=True))
        return free and math.prod(shape) <= MAX_ELEMENTS


class TorchNetwork:
    """A network over a shared graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.inputs = graph.inputs
        self.outputs = graph.outputs

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        check(inputs, self.inputs)
        with torch.no_grad():
            return self._graph(*inputs)


@lru_cache(maxsize=32)
def graph(flatbuffer: bytes, name: str, device: torch.device) -> Graph:
    """The graph of a network on a device, of which a process has one: its weights are shared by all streams."""
    return Graph(flatbuffer, name, device)


def _shape(tensor: tflite.Tensor) -> tuple[int, ...]:
    shape = tuple(int(tensor.Shape(i)) for i in range(tensor.ShapeLength()))
    if any(length < 1 for length in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise ModelRefused(f"a tensor has the shape {shape}")
    return shape


def _shapes(graph: tflite.SubGraph) -> list[tuple[int, ...]]:
    if max(graph.TensorsLength(), graph.OperatorsLength()) > MAX_PARTS:
        raise ModelRefused(f"it has more than {MAX_PARTS} tensors or operators")
    return [_shape(graph.Tensors(i)) for i in range(graph.TensorsLength())]


def _signature(tensor: tflite.Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with -1 where a length is not known before it runs; the shape where the flatbuffer has no such thing."""
    signature = tuple(int(tensor.ShapeSignature(i)) for i in range(tensor.ShapeSignatureLength()))
    return signature if len(signature) == len(shape) else shape


def _first_values(model: tflite.Model) -> dict[bytes, Tensor]:
    if model.SubgraphsLength() < 2:
        return {}
    graph = model.Subgraphs(1)
    return first_values(model, graph, _constants(model, graph, _shapes(graph)))


def _constants(model: tflite.Model, graph: tflite.SubGraph, shapes: list[tuple[int, ...]]) -> dict[int, Tensor]:
    constants = {}
    for index, shape in enumerate(shapes):
        tensor = graph.Tensors(index)
        buffer = model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            continue
        if tensor.Type() not in _CONSTANT_TYPES:
            raise ModelRefused(f"a constant has the type {tensor.Type()} of the schema, which is not known here")
        # Copied, since torch wants memory that it may write to.
        data = np.frombuffer(buffer.DataAsNumpy().tobytes(), _CONSTANT_TYPES[tensor.Type()]).copy()
        constants[index] = torch.from_numpy(data).reshape(shape)
    return constants
