"""Reads what an ONNX file says of its network, without running or loading it: operators, weights, inputs, outputs.

Only some parts of the format are looked at; field numbers are those of ONNX's own schema, onnx.proto.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from transforms.errors import ModelRefused
from transforms.models.protobuf import fields, numbers
from transforms.packages.limits import MAX_DEPTH, MAX_DIMENSIONS, MAX_ELEMENTS, MAX_NODES

DOMAINS = ("", "ai.onnx", "com.microsoft")
"""Of operators: ONNX's own, and what ONNX Runtime writes when it fuses some."""

ENDLESS = ("Loop", "Scan")
"""Operators that can run for ever."""

TYPES = {1: "float32", 10: "float16", 2: "uint8", 7: "int64", 6: "int32", 9: "bool", 11: "float64"}
"""TensorProto.DataType -> a name."""


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of the network."""

    dtype: str
    shape: tuple[int | None, ...]
    """None: any length (a dimension that is named, or unknown)."""


@dataclass(slots=True)
class Graph:
    """What one file says."""

    inputs: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    operators: set[str] = field(default_factory=set)
    weights: set[str] = field(default_factory=set)
    nodes: int = 0


def read(path: Path) -> Graph:
    """Raises ModelRefused for what is malformed, too large, endless, or needs code or files of its own."""
    try:
        with path.open("rb") as file:
            # Not closed by us: what is raised below may still hold a part of it.
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ModelRefused(f"{path.name} cannot be read: {error}") from error
    graph = Graph()
    try:
        _model(memoryview(data), graph)
    except ValueError as error:
        raise ModelRefused(f"{path.name} is no ONNX file, or is cut short") from error
    except ModelRefused as error:
        raise ModelRefused(f"{path.name} is refused: {error}") from error
    if not graph.nodes or not graph.outputs:
        raise ModelRefused(f"{path.name} is no ONNX file with a network in it")
    for name in graph.weights:
        graph.inputs.pop(name, None)  # old files list weights among the inputs
    return graph


def _messages(view: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, content in fields(view):
        if number == wanted and isinstance(content, memoryview):
            yield content


def _text(view: memoryview, wanted: int) -> str:
    text = ""
    for content in _messages(view, wanted):
        text = bytes(content[:512]).decode()
    return text


def _model(view: memoryview, graph: Graph) -> None:
    """ModelProto."""
    for number, content in fields(view):
        if not isinstance(content, memoryview):
            continue
        if number == 7:
            _graph(content, graph, 0)
        elif number == 25:
            raise ModelRefused("it has functions of its own; inline them (onnx.inliner.inline_local_functions)")


def _graph(view: memoryview, graph: Graph, depth: int) -> None:
    """GraphProto."""
    if depth > MAX_DEPTH:
        raise ModelRefused(f"it has graphs inside graphs, deeper than {MAX_DEPTH}")
    for number, content in fields(view):
        if not isinstance(content, memoryview):
            continue
        if number == 1:
            _node(content, graph, depth)
        elif number == 5:
            graph.weights.add(_weight(content))
        elif number == 15:
            for dense in _messages(content, 1):  # SparseTensorProto.values
                graph.weights.add(_weight(dense))
        elif number in (11, 12) and depth == 0:
            name, value = _value(content)
            (graph.inputs if number == 11 else graph.outputs)[name] = value
        if graph.nodes > MAX_NODES or len(graph.weights) > MAX_NODES or len(graph.inputs) > MAX_NODES:
            raise ModelRefused(f"it has more than {MAX_NODES} operators, weights or inputs")


def _node(view: memoryview, graph: Graph, depth: int) -> None:
    """NodeProto."""
    graph.nodes += 1
    operator = _text(view, 4)
    if (domain := _text(view, 7)) not in DOMAINS:
        raise ModelRefused(
            f"the operator {operator} is of the domain {domain!r}, which needs code that is not here; "
            "export the network with the operators of ONNX itself"
        )
    if operator in ENDLESS:
        raise ModelRefused(f"the operator {operator} has no end that can be known; export the network without loops")
    graph.operators.add(operator)
    for attribute in _messages(view, 5):
        for number, content in fields(attribute):
            if not isinstance(content, memoryview):
                continue
            if number in (6, 11):  # g, graphs
                _graph(content, graph, depth + 1)
            elif number in (5, 10):  # t, tensors
                _weight(content)


def _weight(view: memoryview) -> str:
    """TensorProto: its name."""
    shape: list[int] = []
    name = ""
    for number, content in fields(view):
        if number == 1:
            shape += islice(numbers(content), MAX_DIMENSIONS + 1)
        elif number == 8 and isinstance(content, memoryview):
            name = bytes(content[:512]).decode()
        elif number == 13 or (number == 14 and content == 1):
            raise ModelRefused(f"the weights {name!r} are in another file; save the network as one file")
        if len(shape) > 2 * MAX_DIMENSIONS:
            break  # enough is known
    if len(shape) > MAX_DIMENSIONS:
        raise ModelRefused(f"the weights {name!r} have more than {MAX_DIMENSIONS} dimensions")
    if math.prod(shape) > MAX_ELEMENTS:
        raise ModelRefused(f"the weights {name!r} have the shape {tuple(shape)}, which is larger than any may be")
    return name


def _value(view: memoryview) -> tuple[str, Value]:
    """ValueInfoProto."""
    dtype, shape = "something else than a tensor", []
    for kind in _messages(view, 2):  # TypeProto
        for tensor in _messages(kind, 1):  # TypeProto.Tensor
            for number, content in fields(tensor):
                if number == 1 and isinstance(content, int):
                    dtype = TYPES.get(content, f"type {content}")
                elif number == 2 and isinstance(content, memoryview):
                    shape = [_dimension(dimension) for dimension in _messages(content, 1)]
    return _text(view, 1), Value(dtype, tuple(shape))


def _dimension(view: memoryview) -> int | None:
    """TensorShapeProto.Dimension: its length, where it has one."""
    length = None
    for number, content in fields(view):
        if number == 1 and isinstance(content, int):
            # -1, as some write for "any", is a very large number here.
            length = content if 0 < content < 1 << 32 else None
    return length
